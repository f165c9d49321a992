/* Runs the native engine of another platform, under an emulator, for emulated/library.py: its net and weights come once
 * through stdin, then a job at a time; answers go to stdout. All numbers are little-endian. */
#include <stdint.h>
#include <string.h>

typedef struct {
    void *memory;
    int64_t position;
    int32_t slot, last[2];
} Text;

typedef struct {
    void *net, *work, *texts, *ids, *logits;
    int32_t n_texts, count, layers, every;
} Job;

enum { NAME = 256, SIZES = 4 };

#ifdef _WIN32
#include <windows.h>
/* Windows itself is enough, so its C library need not be compiled for this. */
static int get(void *to, int64_t bytes) {
    char *at = to;
    for (DWORD done; bytes > 0; at += done, bytes -= done)
        if (!ReadFile(GetStdHandle(STD_INPUT_HANDLE), at, (DWORD)bytes, &done, NULL) || !done) return 0;
    return 1;
}
static void put(const void *from, int64_t bytes) {
    DWORD done;
    WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), from, (DWORD)bytes, &done, NULL);
}
static void *room(int64_t bytes) { return VirtualAlloc(NULL, (SIZE_T)bytes, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE); }
static void *function(const char *library, const char *name) {
    return (void *)GetProcAddress(LoadLibraryA(library), name);
}
static void end(int code) { ExitProcess((UINT)code); }
#define MAIN mainCRTStartup
#else
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
static int get(void *to, int64_t bytes) { return fread(to, 1, (size_t)bytes, stdin) == (size_t)bytes; }
static void put(const void *from, int64_t bytes) {
    fwrite(from, 1, (size_t)bytes, stdout);
    fflush(stdout);
}
static void *room(int64_t bytes) {
    const size_t whole = ((size_t)bytes + 63) / 64 * 64;
    return memset(aligned_alloc(64, whole), 0, whole);
}
static void *function(const char *library, const char *name) { return dlsym(dlopen(library, RTLD_NOW), name); }
static void end(int code) { exit(code); }
#define MAIN main
#endif

int MAIN(void) {
    char name[NAME];
    int64_t sizes[SIZES]; /* bytes of the image, pointers in it, bytes of a row of logits, most rows of a job */
    if (!get(name, NAME) || !get(sizes, sizeof sizes)) end(2);
    void (*read)(const Job *) = (void (*)(const Job *))function(name, "gpt_read");
    int64_t (*memory_floats)(const void *) = (int64_t (*)(const void *))function(name, "gpt_memory_floats");
    int64_t (*work_floats)(const void *) = (int64_t (*)(const void *))function(name, "gpt_work_floats");
    int32_t (*prefers_avx2)(void) = (int32_t (*)(void))function(name, "gpt_prefers_avx2");
    /* The image begins with the net. A pointer in it is how far from its beginning what it points to lies. */
    char *image = room(sizes[0]);
    if (!get(image, sizes[0])) end(2);
    for (int64_t i = 0, at; i < sizes[1]; i++) {
        if (!get(&at, sizeof at)) end(2);
        int64_t offset;
        memcpy(&offset, image + at, sizeof offset);
        char *pointer = image + offset;
        memcpy(image + at, &pointer, sizeof pointer);
    }
    const int64_t rooms[3] = {memory_floats(image), work_floats(image), prefers_avx2()};
    put(rooms, sizeof rooms);
    void *memory = room(rooms[0] * 4), *work = room(rooms[1] * 4), *ids = room(sizes[3] * 4);
    void *logits = room(sizes[3] * sizes[2]);
    Text text, *texts[1] = {&text};
    Job job;
    while (get(&job, sizeof job) && get(&text, sizeof text)) {
        const int64_t bytes = job.logits ? sizes[2] * (job.every ? job.count : 1) : 0;
        job.net = image, job.work = work, job.texts = texts, text.memory = memory;
        job.ids = ids, job.logits = bytes ? logits : NULL;
        if (!get(ids, job.count * 4)) end(2);
        read(&job);
        put(&text, sizeof text);
        if (bytes) put(logits, bytes);
    }
    end(0);
    return 0;
}
