"""Small trained nets, and the many ways in which people name and arrange the same tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tinygpt_tui.foreign.calibration_texts import calibration_texts
from tinygpt_tui.foreign.characters import SHAKESPEARE
from tinygpt_tui.tokenizers.char import CharTokenizer

V, T, C, H, L, F_ = len(SHAKESPEARE), 24, 32, 4, 2, 80
State = dict[str, Tensor]


@dataclass(frozen=True)
class Kind:
    """A net: what its tensors do not tell."""

    post_norm: bool = False
    activation: str = "gelu"  # or relu, relu_squared, swiglu, glu, reglu
    tied: bool = True
    qkv_bias: bool = True
    bias: bool = True
    final_norm: bool = True
    rotary: bool = False
    head_bias: bool = False
    alibi: bool = False
    qk_norm: bool = False
    parallel: bool = False  # one norm, and attention beside the MLP
    waves: bool = False  # fixed sinusoidal positions, and embeddings times √C
    plain_qk: bool = False  # norms of queries and keys without weights
    embedding_norm: bool = False
    cap: float = 0.0
    repeat: int = 1

    @property
    def gated(self) -> bool:
        return self.activation in ("swiglu", "glu", "reglu")


PRE = Kind()
POST = Kind(post_norm=True, activation="relu", tied=False, qkv_bias=False, final_norm=False, head_bias=True)
ODD = Kind(bias=False, qkv_bias=False, alibi=True, qk_norm=True, parallel=True)
GATED = Kind(post_norm=True, activation="glu", tied=False, final_norm=False)
CHATTY = Kind(activation="relu_squared", tied=False, qkv_bias=False, bias=False, rotary=True, plain_qk=True,
              embedding_norm=True, cap=8.0)  # fmt: skip
SHARED = Kind(activation="reglu", repeat=2)
WAVES = Kind(activation="relu", tied=False, waves=True)
MODERN = Kind(activation="swiglu", tied=False, qkv_bias=False, bias=False, rotary=True)


def started(kind: Kind) -> State:
    """Return first weights by plain names: `wte`, `0.q.w`, `0.q.b` …"""
    generator = torch.Generator().manual_seed(1)

    def matrix(rows: int, columns: int) -> Tensor:
        return torch.randn(rows, columns, generator=generator) * columns**-0.5

    state = {"wte": matrix(V, C)} | ({} if kind.rotary or kind.alibi or kind.waves else {"wpe": matrix(T, C) * 0.3})
    for layer in range(L):
        sizes = {"q": (C, C), "k": (C, C), "v": (C, C), "o": (C, C), "up": (F_, C), "down": (C, F_)}
        sizes |= {"gate": (F_, C)} if kind.gated else {}
        for part, size in sizes.items():
            state[f"{layer}.{part}.w"] = matrix(*size) * (0.3 if part in ("o", "down") else 1)
            if kind.bias and (kind.qkv_bias or part not in "qkv"):
                state[f"{layer}.{part}.b"] = torch.zeros(size[0])
        state |= {f"{layer}.{norm}.w": torch.ones(C // H) for norm in ("qn", "kn") if kind.qk_norm}
        for norm in ("n1",) if kind.parallel else ("n1", "n2"):
            state[f"{layer}.{norm}.w"] = torch.ones(C)
            state |= {f"{layer}.{norm}.b": torch.zeros(C)} if kind.bias else {}
    if kind.final_norm:
        state |= {"nf.w": torch.ones(C)} | ({"nf.b": torch.zeros(C)} if kind.bias else {})
    state |= {} if kind.tied else {"head.w": matrix(V, C)}
    return state | ({"head.b": torch.zeros(V)} if kind.head_bias else {})


def forward(kind: Kind, state: State, ids: Tensor) -> Tensor:
    """ids (B, T) -> logits (B, T, V), written plainly."""
    size = ids.shape[1]
    x = state["wte"][ids] * (C**0.5 if kind.waves else 1) + (state["wpe"][:size] if "wpe" in state else 0)
    x = x + waves(size) if kind.waves else x
    x = F.rms_norm(x, (C,)) if kind.embedding_norm else x
    places = torch.arange(size)
    far = (places[:, None] - places) * 2.0 ** (-8 / H * torch.arange(1, H + 1))[:, None, None]
    bias = torch.where(places[:, None] < places, -torch.inf, -far if kind.alibi else 0)

    def linear(name: str, x: Tensor) -> Tensor:
        return F.linear(x, state[f"{name}.w"], state.get(f"{name}.b"))

    def norm(name: str, x: Tensor) -> Tensor:
        if not kind.bias:
            return x * (x.square().mean(-1, keepdim=True) + 1e-5).rsqrt() * state[f"{name}.w"]
        return F.layer_norm(x, (C,), state[f"{name}.w"], state[f"{name}.b"])

    def attention(at: str, x: Tensor) -> Tensor:
        q, k, v = (linear(f"{at}.{part}", x).view(len(x), size, H, C // H).transpose(1, 2) for part in "qkv")
        if kind.rotary:
            q, k = turned(q), turned(k)
        if kind.qk_norm:
            q, k = norm(f"{at}.qn", q), norm(f"{at}.kn", k)
        if kind.plain_qk:
            q, k = F.rms_norm(q, q.shape[-1:]), F.rms_norm(k, k.shape[-1:])
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return linear(f"{at}.o", mixed.transpose(1, 2).reshape(x.shape))

    def mlp(at: str, x: Tensor) -> Tensor:
        h = linear(f"{at}.up", x)
        if kind.gated:
            gate = {"swiglu": F.silu, "glu": torch.sigmoid, "reglu": F.relu}[kind.activation]
            return linear(f"{at}.down", gate(linear(f"{at}.gate", x)) * h)
        kinds = {"relu": F.relu, "relu_squared": lambda x: F.relu(x).square(), "gelu": F.gelu}
        return linear(f"{at}.down", kinds[kind.activation](h))

    for layer in [*range(L)] * kind.repeat:
        if kind.parallel:
            h = norm(f"{layer}.n1", x)
            x = x + attention(str(layer), h) + mlp(str(layer), h)
            continue
        for name, sublayer in (("n1", attention), ("n2", mlp)):
            at = f"{layer}.{name}"
            x = norm(at, x + sublayer(str(layer), x)) if kind.post_norm else x + sublayer(str(layer), norm(at, x))
    x = norm("nf", x) if kind.final_norm else x
    logits = F.linear(x, state.get("head.w", state["wte"]), state.get("head.b"))
    return kind.cap * torch.tanh(logits / kind.cap) if kind.cap else logits


def waves(count: int) -> Tensor:
    """Return the sines and cosines of positions, (count, C), as in "Attention is all you need"."""
    angles = torch.arange(count)[:, None] * 10_000.0 ** (-torch.arange(0, C, 2) / C)
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)


def turned(x: Tensor) -> Tensor:
    """Rotate the halves of each head of x (B, H, T, D), as Llama's port does."""
    half = x.shape[-1] // 2
    angles = torch.arange(x.shape[-2])[:, None] * 10_000.0 ** (-torch.arange(half) / half)
    one, other = x[..., :half], x[..., half:]
    return torch.cat((one * angles.cos() - other * angles.sin(), other * angles.cos() + one * angles.sin()), dim=-1)


def trained(kind: Kind, steps: int = 150) -> State:
    """Train for a second or two on the page that comes with the program; the model nearly memorizes it."""
    ids = torch.tensor(CharTokenizer(SHAKESPEARE).encode(calibration_texts()[0].text))
    state = {name: tensor.requires_grad_() for name, tensor in started(kind).items()}
    optimizer = torch.optim.AdamW(state.values(), lr=8e-3, weight_decay=0)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        at = torch.randint(len(ids) - T - 1, (24,), generator=generator)
        rows = ids[at[:, None] + torch.arange(T + 1)]
        loss = F.cross_entropy(forward(kind, state, rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {name: tensor.detach() for name, tensor in state.items()}


def greedy(logits: Callable[[Tensor], Tensor], count: int = 50) -> list[int]:
    """Return the most probable ids, one by one, after a short prompt."""
    ids = CharTokenizer(SHAKESPEARE).encode("What ")
    with torch.no_grad():
        for _ in range(count):
            ids.append(int(logits(torch.tensor([ids[-T:]]))[0, -1].argmax()))
    return ids


@dataclass(frozen=True)
class Spelling:
    """Names and arrangement of a file.

    `block` holds the layer's number; `attention` is separate, fused, fused_conv, per_head, fused_heads, kv or torch.
    """

    block: str = "blocks.{i}."
    tokens: str = "tok_emb.weight"
    positions: str = "pos_emb.weight"
    attention: str = "separate"
    q: str = "attn.q_proj"
    k: str = "attn.k_proj"
    v: str = "attn.v_proj"
    o: str = "attn.out_proj"
    fused: str = "attn.qkv"
    up: str = "mlp.fc1"
    down: str = "mlp.fc2"
    gate: str = "mlp.gate"
    norms: tuple[str, str] = ("ln1", "ln2")
    norm: tuple[str, str] = ("weight", "bias")
    last: str = "ln_f"
    head: str = "head"
    prefix: str = ""
    shape: tuple[str, ...] = ()  # of positions: as a parameter (1, T, C) or (T, 1, C)
    extra: dict[str, Any] = field(default_factory=dict)
    stored_tie: bool = False

    def state_dict(self, state: State) -> dict[str, Tensor]:
        """Return trained tensors as this file has them."""
        found = {self.tokens: state["wte"]}
        if "wpe" in state:
            wpe = state["wpe"]
            found[self.positions] = {"1TC": wpe[None], "T1C": wpe[:, None]}.get("".join(self.shape), wpe)
        for layer in range(L):
            at = self.block.format(i=layer)
            part = {name.removeprefix(f"{layer}."): tensor for name, tensor in state.items() if name[:2] == f"{layer}."}
            for name, tensor in self._block(part).items():
                numbers = {"{i}": layer, "{2i}": 2 * layer, "{2i+1}": 2 * layer + 1}
                named = at + name
                for key, number in numbers.items():
                    named = named.replace(key, str(number))
                found[named] = tensor
        found |= self._norm(self.last, state, "nf")
        found |= {f"{self.head}.weight": state["head.w"]} if "head.w" in state else {}
        found |= {f"{self.head}.bias": state["head.b"]} if "head.b" in state else {}
        found |= {f"{self.head}.weight": state["wte"].clone()} if self.stored_tie and "head.w" not in state else {}
        found |= self.extra
        return {self.prefix + name: tensor.contiguous() for name, tensor in found.items()}

    def _block(self, part: State) -> State:
        conv = self.attention == "fused_conv"
        found = self._norm(self.norms[0], part, "n1") | self._norm(self.norms[1], part, "n2") | self._attention(part)
        found |= self._norm("attn.q_norm", part, "qn") | self._norm("attn.k_norm", part, "kn")
        for name, ours in ((self.up, "up"), (self.gate, "gate"), (self.down, "down")):
            found |= _linear(name, part, ours, conv)
        return found

    def _attention(self, part: State) -> State:
        found = _linear(self.o, part, "o", self.attention == "fused_conv")
        kinds = [kind for kind in ("w", "b") if f"q.{kind}" in part]
        names = {"w": "weight", "b": "bias"}
        q, k, v = ({kind: part[f"{one}.{kind}"] for kind in kinds} for one in "qkv")
        for kind in kinds:
            rows = [one[kind] for one in (q, k, v)]
            if self.attention == "separate":
                found |= {
                    f"{name}.{names[kind]}": one for name, one in zip((self.q, self.k, self.v), rows, strict=True)
                }
            elif self.attention == "kv":
                found |= {f"{self.q}.{names[kind]}": rows[0], f"{self.k}.{names[kind]}": torch.cat(rows[1:])}
            elif self.attention == "torch":
                found[f"self_attn.in_proj_{names[kind]}"] = torch.cat(rows)
            elif self.attention in ("fused", "fused_conv"):
                fused = torch.cat(rows)
                found[f"{self.fused}.{names[kind]}"] = (
                    fused.T if self.attention == "fused_conv" and kind == "w" else fused
                )
            elif self.attention == "each_head_fused":
                heads = zip(*(one.chunk(H) for one in rows), strict=True)
                found[f"{self.fused}.{names[kind]}"] = torch.cat([torch.cat(one) for one in heads])
            elif self.attention == "per_head":
                for name, one in zip((self.q, self.k, self.v), rows, strict=True):
                    for head, piece in enumerate(one.chunk(H)):
                        found[f"{name.replace('{h}', str(head))}.{names[kind]}"] = piece
            elif self.attention == "parameters":
                for name, one in zip((self.q, self.k, self.v), rows, strict=True):
                    found[f"{name}" if kind == "w" else name.replace("W", "b")] = one.T if kind == "w" else one
        return found

    def _norm(self, name: str, state: State, ours: str) -> State:
        pairs = zip(self.norm, ("w", "b"), strict=True)
        return {f"{name}.{theirs}": state[f"{ours}.{kind}"] for theirs, kind in pairs if f"{ours}.{kind}" in state}


def _linear(name: str, part: State, ours: str, turned: bool) -> State:
    found = {f"{name}.weight": part[f"{ours}.w"].T if turned else part[f"{ours}.w"]} if f"{ours}.w" in part else {}
    return found | ({f"{name}.bias": part[f"{ours}.b"]} if f"{ours}.b" in part else {})


MASK = torch.ones(T, T).tril()
TORCH = Spelling(block="transformer.layers.{i}.", attention="torch", o="self_attn.out_proj", up="linear1",
                 down="linear2", norms=("norm1", "norm2"), tokens="embedding.weight", positions="pos_embedding.weight",
                 last="transformer.norm", head="fc_out")  # fmt: skip
RASBT = Spelling(block="trf_blocks.{i}.", q="att.W_query", k="att.W_key", v="att.W_value", o="att.out_proj",
                 up="ff.layers.0", down="ff.layers.2", norms=("norm1", "norm2"), norm=("scale", "shift"),
                 last="final_norm", head="out_head", extra={"trf_blocks.0.att.mask": 1 - MASK})  # fmt: skip
LLAMA = Spelling(block="model.layers.{i}.", tokens="model.embed_tokens.weight", q="self_attn.q_proj",
                 k="self_attn.k_proj", v="self_attn.v_proj", o="self_attn.o_proj", gate="mlp.gate_proj",
                 up="mlp.up_proj", down="mlp.down_proj", norms=("input_layernorm", "post_attention_layernorm"),
                 last="model.norm", head="lm_head")  # fmt: skip
HEADS = {"q": "sa.heads.{h}.query", "k": "sa.heads.{h}.key", "v": "sa.heads.{h}.value", "o": "sa.proj"}

# What people write; each row is tried with the nets that its names allow.
SPELLINGS: dict[str, Spelling] = {
    "rasbt": RASBT,
    "rasbt, shared head stored": Spelling(**{**vars(RASBT), "stored_tie": True}),
    "torch encoder": TORCH,
    "torch encoder, prefixed": Spelling(**{**vars(TORCH), "prefix": "decoder.", "head": "output"}),
    "torch tutorial": Spelling(**{**vars(TORCH), "block": "transformer_encoder.layers.{i}.", "tokens": "encoder.weight",
                                  "positions": "pos_encoder.pe", "shape": ("T1C",), "last": "transformer_encoder.norm",
                                  "head": "decoder"}),
    "separate": Spelling(),
    "separate, layers": Spelling(block="layers.{i}.", q="attention.wq", k="attention.wk", v="attention.wv",
                                 o="attention.wo", up="feed_forward.w1", down="feed_forward.w2",
                                 norms=("attention_norm", "ffn_norm"), last="norm", head="output"),
    "decoder.layers": Spelling(block="decoder.layers.{i}.", q="self_attention.query_linear",
                               k="self_attention.key_linear", v="self_attention.value_linear",
                               o="self_attention.output_linear", up="ffn.linear1", down="ffn.linear2",
                               norms=("norm1", "norm2"), last="decoder.norm", tokens="decoder.embedding.weight",
                               positions="decoder.pos_embedding", shape=("1TC",)),
    "to_q and to_kv": Spelling(block="net.{i}.", attention="kv", q="0.to_q", k="0.to_kv", o="0.to_out.0",
                               up="1.net.0", down="1.net.3", norms=("0.norm", "1.norm"), norm=("gamma", "beta"),
                               last="final_norm", head="to_logits"),
    "to_qkv": Spelling(block="transformer.layers.{i}.", attention="fused", fused="0.fn.to_qkv", o="0.fn.to_out.0",
                       up="1.fn.net.0", down="1.fn.net.3", norms=("0.norm", "1.norm"), head="to_logits"),
    "x-transformers": Spelling(block="", tokens="token_emb.emb.weight", positions="pos_emb.emb.weight",
                               q="attn_layers.layers.{2i}.1.to_q", k="attn_layers.layers.{2i}.1.to_k",
                               v="attn_layers.layers.{2i}.1.to_v", o="attn_layers.layers.{2i}.1.to_out",
                               up="attn_layers.layers.{2i+1}.1.ff.0.0", down="attn_layers.layers.{2i+1}.1.ff.2",
                               norms=("attn_layers.layers.{2i}.0.0", "attn_layers.layers.{2i+1}.0.0"),
                               last="attn_layers.final_norm", head="to_logits"),
    "x.attn.qkv": Spelling(attention="fused", o="attn.proj", norms=("norm1", "norm2"), last="norm"),
    "each head's q, k, v together": Spelling(attention="each_head_fused", o="attn.proj"),
    "wte, c_attn": Spelling(block="h.{i}.", tokens="wte.weight", positions="wpe.weight", attention="fused",
                            fused="attn.c_attn", o="attn.c_proj", up="mlp.c_fc", down="mlp.c_proj",
                            norms=("ln_1", "ln_2"), head="lm_head"),
    "Conv1D": Spelling(block="gpt.h.{i}.", tokens="gpt.wte.weight", positions="gpt.wpe.weight", attention="fused_conv",
                       fused="attn.c_attn", o="attn.c_proj", up="mlp.c_fc", down="mlp.c_proj", norms=("ln_1", "ln_2"),
                       last="gpt.ln_f"),
    "heads of the lecture, other names": Spelling(attention="per_head", **HEADS, up="ffwd.net.0", down="ffwd.net.2",
                                                  tokens="token_embedding.weight",
                                                  positions="position_embedding.weight", last="ln", head="lm_head",
                                                  extra={"blocks.0.sa.heads.0.tril": MASK}),
    "sa_heads": Spelling(attention="per_head", q="sa_heads.heads.{h}.q", k="sa_heads.heads.{h}.k",
                         v="sa_heads.heads.{h}.v", o="sa_heads.projection", up="feed_forward.0", down="feed_forward.2",
                         tokens="emb.weight", positions="pos_emb", shape=("1TC",)),
    "head_0, head_1": Spelling(attention="per_head", q="mha.head_{h}.query", k="mha.head_{h}.key",
                               v="mha.head_{h}.value", o="mha.out", up="ff.0", down="ff.2"),
    "bare parameters": Spelling(attention="parameters", q="attn.W_q", k="attn.W_k", v="attn.W_v"),
    "camels": Spelling(block="transformerBlocks.{i}.", q="selfAttention.toQueries", k="selfAttention.toKeys",
                       v="selfAttention.toValues", o="selfAttention.unifyHeads", up="feedForward.0",
                       down="feedForward.2", tokens="tokenEmbedding.weight", positions="positionEmbedding.weight",
                       norms=("norm1", "norm2"), last="finalNorm", head="toProbs"),
    "block0, block1": Spelling(block="block{i}."),
    "everything prefixed": Spelling(prefix="model.gpt."),
    "annotated": Spelling(block="decoder.layers.{i}.", q="self_attn.linears.0", k="self_attn.linears.1",
                          v="self_attn.linears.2", o="self_attn.linears.3", up="feed_forward.w_1",
                          down="feed_forward.w_2", norms=("sublayer.0.norm", "sublayer.1.norm"), norm=("a_2", "b_2"),
                          last="decoder.norm", tokens="tgt_embed.0.lut.weight", positions="tgt_embed.1.pe",
                          shape=("1TC",), head="generator.proj"),
    "lists side by side": Spelling(block="", q="attns.{i}.query", k="attns.{i}.key", v="attns.{i}.value",
                                   o="attns.{i}.proj", up="mlps.{i}.0", down="mlps.{i}.2",
                                   norms=("norms1.{i}", "norms2.{i}")),
    "inside a Sequential": Spelling(norms=("0", "3"), q="1.q", k="1.k", v="1.v", o="1.o", up="4.0", down="4.2"),
    "WQ WK WV": Spelling(q="mha.WQ", k="mha.WK", v="mha.WV", o="mha.WO", up="ffn.lin1", down="ffn.lin2",
                         norms=("layer_norm1", "layer_norm2")),
    "bert's": Spelling(block="encoder.layer.{i}.", q="attention.self.query", k="attention.self.key",
                       v="attention.self.value", o="attention.output.dense", up="intermediate.dense",
                       down="output.dense", norms=("attention.output.LayerNorm", "output.LayerNorm"),
                       tokens="embeddings.word_embeddings.weight", positions="embeddings.position_embeddings.weight",
                       last="encoder.final_layernorm", head="lm_head"),
}  # fmt: skip
ODD_SPELLINGS = {"norms of heads, one norm, distances": Spelling()}
MODERN_SPELLINGS: dict[str, Spelling] = {
    "llama's": LLAMA,
    "w1 w2 w3": Spelling(block="layers.{i}.", q="attention.wq", k="attention.wk", v="attention.wv", o="attention.wo",
                         gate="ffn.w1", up="ffn.w3", down="ffn.w2", norms=("attention_norm", "ffn_norm"),
                         tokens="embedding.weight", last="norm", head="output"),
    "fused, freqs": Spelling(block="transformer.h.{i}.", tokens="transformer.emb.weight", attention="fused",
                             gate="mlp.fc_1", up="mlp.fc_2", down="mlp.proj", norms=("norm_1", "norm_2"),
                             last="transformer.ln_f", head="lm_head",
                             extra={"transformer.rope.inv_freq": 10_000.0 ** (-torch.arange(4) / 4)}),
    "scale": Spelling(norm=("scale", "shift"), up="ff.up", gate="ff.gate", down="ff.down"),
}  # fmt: skip
