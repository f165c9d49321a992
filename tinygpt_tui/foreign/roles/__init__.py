"""Which part of a GPT each tensor of an unknown program is: by shapes and structure; names are hints."""
