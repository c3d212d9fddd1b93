"""Small random weights under the published names, and the networks they belong to written out by formula."""

import math

import torch
from torch.nn import functional as F

VISION, TEXT, PATCH, SIDE = 160, 128, 4, 12


def random_state(shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in shapes.items():
        state[name] = torch.randn(*shape, generator=generator) * 0.3 / max(1, shape[-1]) ** 0.25
        if ".ln_" in f".{name}" or "norm" in name.lower():
            state[name] += name.endswith("weight")
    return state


def open_clip_state(vocabulary, seed=0, length=9, embed=32, depth=2):
    """The tensors of ``open_clip.CLIP``: heads of 80 channels in the image tower, of 64 in the text tower."""
    shapes = {
        "positional_embedding": (length, TEXT),
        "text_projection": (TEXT, embed),
        "logit_scale": (),
        "visual.class_embedding": (VISION,),
        "visual.positional_embedding": ((SIDE // PATCH) ** 2 + 1, VISION),
        "visual.proj": (VISION, embed),
        "visual.conv1.weight": (VISION, 3, PATCH, PATCH),
        "token_embedding.weight": (vocabulary, TEXT),
        **norm("visual.ln_pre", VISION),
        **norm("visual.ln_post", VISION),
        **norm("ln_final", TEXT),
    }
    for tower, width in (("visual.", VISION), ("", TEXT)):
        for block in (f"{tower}transformer.resblocks.{n}" for n in range(depth)):
            shapes |= norm(f"{block}.ln_1", width) | norm(f"{block}.ln_2", width)
            shapes |= {
                f"{block}.attn.in_proj_weight": (3 * width, width),
                f"{block}.attn.in_proj_bias": (3 * width,),
                **linear(f"{block}.attn.out_proj", width, width),
                **linear(f"{block}.mlp.c_fc", 4 * width, width),
                **linear(f"{block}.mlp.c_proj", width, 4 * width),
            }
    shapes.pop("logit_scale")
    return random_state(shapes, seed) | {"logit_scale": torch.tensor(math.log(100.0))}


def image_reward_state(vocabulary, seed=0, length=40, depth=2):
    """The tensors of ``ImageReward``, with those of the pretraining heads that it carries and never uses."""
    width, text, eye, ear = 128, 64, "blip.visual_encoder", "blip.text_encoder"
    shapes = {
        f"{eye}.cls_token": (1, 1, width),
        f"{eye}.pos_embed": (1, (SIDE // PATCH) ** 2 + 1, width),
        f"{eye}.patch_embed.proj.weight": (width, 3, PATCH, PATCH),
        f"{eye}.patch_embed.proj.bias": (width,),
        **norm(f"{eye}.norm", width),
        f"{ear}.embeddings.word_embeddings.weight": (vocabulary, text),
        f"{ear}.embeddings.position_embeddings.weight": (length, text),
        **norm(f"{ear}.embeddings.LayerNorm", text),
        **linear("blip.vision_proj", 16, width),
        **linear("blip.text_proj", 16, text),
    }
    for block in (f"{eye}.blocks.{n}" for n in range(depth)):
        shapes |= norm(f"{block}.norm1", width) | norm(f"{block}.norm2", width)
        shapes |= linear(f"{block}.attn.qkv", 3 * width, width) | linear(f"{block}.attn.proj", width, width)
        shapes |= linear(f"{block}.mlp.fc1", 2 * width, width) | linear(f"{block}.mlp.fc2", width, 2 * width)
    for layer in (f"{ear}.encoder.layer.{n}" for n in range(depth)):
        for kind, source in (("attention", text), ("crossattention", width)):
            shapes |= linear(f"{layer}.{kind}.self.query", text, text)
            shapes |= linear(f"{layer}.{kind}.self.key", text, source)
            shapes |= linear(f"{layer}.{kind}.self.value", text, source)
            shapes |= linear(f"{layer}.{kind}.output.dense", text, text)
            shapes |= norm(f"{layer}.{kind}.output.LayerNorm", text)
        shapes |= linear(f"{layer}.intermediate.dense", 2 * text, text)
        shapes |= linear(f"{layer}.output.dense", text, 2 * text) | norm(f"{layer}.output.LayerNorm", text)
    for number, (a, b) in {0: (text, 48), 2: (48, 24), 4: (24, 12), 6: (12, 8), 7: (8, 1)}.items():
        shapes |= linear(f"mlp.layers.{number}", b, a)
    positions = {f"{ear}.embeddings.position_ids": torch.arange(length)[None]}
    return random_state(shapes, seed) | positions


def norm(name, width):
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def linear(name, out, into):
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def attend(q, k, v, head, mask=None):
    """softmax(q kᵀ / √d) v for each head, on (tokens, width)."""
    out = []
    for part in range(0, q.shape[1], head):
        one = slice(part, part + head)
        scores = q[:, one] @ k[:, one].T / math.sqrt(head)
        scores = scores if mask is None else scores.masked_fill(~mask, -torch.inf)
        out.append(scores.softmax(-1) @ v[:, one])
    return torch.cat(out, 1)


class Formula:
    def __init__(self, state):
        self.state = state

    def norm(self, x, name, eps=1e-5):
        mean, variance = x.mean(-1, keepdim=True), x.var(-1, unbiased=False, keepdim=True)
        weight, bias = self.state[f"{name}.weight"], self.state[f"{name}.bias"]
        return (x - mean) / (variance + eps).sqrt() * weight + bias

    def linear(self, x, name):
        return x @ self.state[f"{name}.weight"].T + self.state[f"{name}.bias"]

    def patches(self, pixels, weight, bias=None):
        pieces = pixels.unfold(1, PATCH, PATCH).unfold(2, PATCH, PATCH)  # (3, rows, columns, PATCH, PATCH)
        pieces = pieces.permute(1, 2, 0, 3, 4).reshape(-1, 3 * PATCH * PATCH)
        return pieces @ weight.flatten(1).T + (0 if bias is None else bias)

    def clip_tower(self, x, tower, head, mask=None):
        mark = f"{tower}transformer.resblocks."
        depth = 1 + max(int(name[len(mark) :].split(".")[0]) for name in self.state if name.startswith(mark))
        for block in (f"{tower}transformer.resblocks.{n}" for n in range(depth)):
            y = self.norm(x, f"{block}.ln_1")
            stacked = y @ self.state[f"{block}.attn.in_proj_weight"].T
            q, k, v = (stacked + self.state[f"{block}.attn.in_proj_bias"]).split(x.shape[1], 1)
            x = x + self.linear(attend(q, k, v, head, mask), f"{block}.attn.out_proj")
            y = F.gelu(self.linear(self.norm(x, f"{block}.ln_2"), f"{block}.mlp.c_fc"))
            x = x + self.linear(y, f"{block}.mlp.c_proj")
        return x

    def clip_image(self, pixels):
        x = self.patches(pixels, self.state["visual.conv1.weight"])
        x = torch.cat([self.state["visual.class_embedding"][None], x])
        x = self.norm(x + self.state["visual.positional_embedding"], "visual.ln_pre")
        x = self.clip_tower(x, "visual.", 80)
        return self.norm(x[0], "visual.ln_post") @ self.state["visual.proj"]

    def clip_text(self, tokens):
        """Features at the end token; what follows it is of no account."""
        x = self.state["token_embedding.weight"][tokens] + self.state["positional_embedding"][: len(tokens)]
        causal = torch.ones(len(tokens), len(tokens), dtype=torch.bool).tril()
        x = self.norm(self.clip_tower(x, "", 64, causal), "ln_final")
        return x[tokens.argmax()] @ self.state["text_projection"]

    def reward(self, pixels, tokens):
        """Of ``tokens`` without padding, which attention leaves out."""
        eye, ear, state = "blip.visual_encoder", "blip.text_encoder", self.state
        proj = f"{eye}.patch_embed.proj"
        x = self.patches(pixels, state[f"{proj}.weight"], state[f"{proj}.bias"])
        x = torch.cat([state[f"{eye}.cls_token"][0], x]) + state[f"{eye}.pos_embed"][0]
        for block in (f"{eye}.blocks.{n}" for n in range(2)):
            q, k, v = self.linear(self.norm(x, f"{block}.norm1", 1e-6), f"{block}.attn.qkv").chunk(3, 1)
            x = x + self.linear(attend(q, k, v, 64), f"{block}.attn.proj")
            y = F.gelu(self.linear(self.norm(x, f"{block}.norm2", 1e-6), f"{block}.mlp.fc1"))
            x = x + self.linear(y, f"{block}.mlp.fc2")
        seen = self.norm(x, f"{eye}.norm", 1e-6)
        words, places = (state[f"{ear}.embeddings.{n}_embeddings.weight"] for n in ("word", "position"))
        t = self.norm(words[tokens] + places[: len(tokens)], f"{ear}.embeddings.LayerNorm", 1e-12)
        for layer in (f"{ear}.encoder.layer.{n}" for n in range(2)):
            for kind, source in (("attention", None), ("crossattention", seen)):
                q, k, v = (
                    self.linear(t if n == "query" or source is None else source, f"{layer}.{kind}.self.{n}")
                    for n in ("query", "key", "value")
                )
                y = self.linear(attend(q, k, v, 64), f"{layer}.{kind}.output.dense")
                t = self.norm(t + y, f"{layer}.{kind}.output.LayerNorm", 1e-12)
            y = self.linear(F.gelu(self.linear(t, f"{layer}.intermediate.dense")), f"{layer}.output.dense")
            t = self.norm(t + y, f"{layer}.output.LayerNorm", 1e-12)
        raw = t[0]
        for number in (0, 2, 4, 6, 7):
            raw = self.linear(raw, f"mlp.layers.{number}")
        return (raw[0] - 0.16717362830052426) / 1.0333394966054072
