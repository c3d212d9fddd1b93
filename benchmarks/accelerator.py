"""What an accelerator's owner can measure: correctness, cost of a step, inference and the paper's training.

    python benchmarks/accelerator.py PART [--device cuda] [--size sdxl] [--minutes 10] [--output FOLDER]

Weights and data are random: nothing is downloaded, and only sizes matter. Needs torch, NumPy, pydantic,
diffusers and peft (torchjd for the way of that name; all of the library for ``base``). The parts:

- ``correct``: solver, fair backward in each precision, two steps of each adapter, against the CPU;
- ``steps``: time, peak memory and host synchronisations of a training step, each way, batch size and with or
  without checkpointing;
- ``inference``: a denoising with the base, LoRA unfused and fused, and MoLE;
- ``base``: the training of the embedded base (``params/models/everyday-wide.yaml``) in pieces of a few steps,
  each of which takes up the state that the one before left in ``FOLDER/accelerator-base``;
- ``paper``: 50 steps of the paper's LoRA training.

A part writes ``FOLDER/accelerator-PART.json`` after each of its measurements and stops after so many minutes;
the same command goes on where it stopped. What could not be run is stored with the reason, and tried again.
"""

import argparse
import itertools
import json
import platform
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from diffusers import UNet2DConditionModel, UniPCMultistepScheduler
from diffusers.utils import logging
from torch import Tensor

from fairhuman.fairness import Amortised, FairAccumulator, alpha_fair_weights, fair_backward, get_strategy
from fairhuman.files import written_whole
from fairhuman.models import SDXL_UNET, Batch
from fairhuman.models.adapters import ADAPTERS, Adapter, LoRA, MoLE
from fairhuman.objectives import regional_losses
from fairhuman.results import provenance

TINY = dict(SDXL_UNET) | {
    "sample_size": 8,
    "block_out_channels": (8, 16),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "layers_per_block": 1,
    "transformer_layers_per_block": (1, 1),
    "attention_head_dim": (2, 2),
    "cross_attention_dim": 16,
    "addition_time_embed_dim": 4,
    "projection_class_embeddings_input_dim": 32,
    "norm_num_groups": 4,
}
SIZES = {"sdxl": (SDXL_UNET, 256, 77), "tiny": (TINY, 2, 5)}
"""Configuration of the UNet, rank of a LoRA, tokens of a prompt."""
POOLED = {"sdxl": 1280, "tiny": 8}
WAYS = ("ordinary", "exact", "grouped", "batched", "amortised", "released", "torchjd")
REPEATS = {"sdxl": 5, "tiny": 1}
PIECES = 4
RECIPE = Path(__file__).parents[1] / "params/models/everyday-wide.yaml"
Measure = Callable[[], dict[str, object]]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", choices=SIZES, default="sdxl")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks"))
    given = parser.parse_args(arguments)
    if given.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("--device: cuda is not available here; use --device cpu --size tiny to try the script")
    if not given.minutes > 0:
        parser.error(f"--minutes: must be positive, got {given.minutes:g}")
    logging.set_verbosity_error()  # of diffusers, which warns at each cast of a type
    path = given.output / f"accelerator-{given.part}.json"
    about = {"part": given.part, "size": given.size, **machine(given.device)}
    found = begun(path, about)
    start = time.monotonic()
    for name, measure in PARTS[given.part](given.size, given.device, given.output):
        if name in found and "failed" not in found[name]:
            continue
        if time.monotonic() - start > 60 * given.minutes:
            print(f"{path}: {given.minutes:g} minutes are over; the same command goes on with {name}")
            return
        try:
            found[name] = measure()
        except (torch.OutOfMemoryError, ImportError, RuntimeError, ValueError) as error:
            found[name] = {"failed": f"{type(error).__name__}: {str(error).splitlines()[0]}"}
        if given.device.startswith("cuda"):
            torch.cuda.empty_cache()
        print(f"{name}: {found[name]}", flush=True)
        with written_whole(path) as partial:
            stored = about | {"seed": 0, "provenance": provenance(), "values": found}
            partial.write_text(json.dumps(stored, indent=1) + "\n")
    print(f"{path}: complete")


def machine(device: str) -> dict[str, str]:
    import diffusers
    import peft

    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else platform.machine()
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__, "peft": peft.__version__}
    return {"device": name, **versions}


def begun(path: Path, about: dict[str, str]) -> dict[str, dict[str, object]]:
    """What an earlier call measured.

    Raises:
        SystemExit: It ran elsewhere or otherwise.
    """
    if not path.exists():
        return {}
    stored = json.loads(path.read_text())
    other = [name for name in about if stored.get(name) != about[name]]
    if other:
        raise SystemExit(
            f"{path}: was measured with another {other[0]} ({stored.get(other[0])}); move it away"
        )
    return stored["values"]


def pipeline(size: str, device: str, dtype: torch.dtype = torch.float32) -> SimpleNamespace:
    """As much of a pipeline as an adapter asks for: a UNet of random weights, made on the device."""
    torch.manual_seed(0)
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            unet = UNet2DConditionModel(**SIZES[size][0])
    finally:
        torch.set_default_dtype(default)
    return SimpleNamespace(unet=unet.requires_grad_(False))


def adapter_of(kind: str, base: SimpleNamespace, size: str) -> Adapter:
    """An adapter as after some training: nothing in it is zero."""
    options = {"rank": SIZES[size][1]} if kind in ("lora", "mole") else {}
    adapter = ADAPTERS[kind](base, **options)
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in adapter.parameters.values():
            noise = torch.randn(parameter.shape, generator=draw) if size == "tiny" else None
            parameter.add_(1e-2 * (torch.randn_like(parameter) if noise is None else noise.to(parameter)))
    return adapter


def batch_of(size: str, count: int, device: str, dtype: torch.dtype = torch.float32) -> Batch:
    """Random images: all with a face, every second one with a hand."""
    here = torch.tensor([[True, k % 2 == 0] for k in range(count)])
    return random_batch(SIZES[size][0], SIZES[size][2], POOLED[size], here, device, dtype)


def random_batch(
    config: Mapping[str, Any],
    tokens: int,
    pooled: int,
    here: Tensor,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Batch:
    """Random images for a UNet of this configuration.

    Args:
        config: Of the UNet.
        tokens: Of a prompt.
        pooled: Width of its pooled embedding.
        here: Which images have a face, and a hand; shape (images, 2), bool.
    """
    draw, count, side = torch.Generator().manual_seed(2), len(here), config["sample_size"]
    channels = config.get("in_channels", 4)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=draw).to(device)

    masks = {name: torch.zeros(count, 1, side, side) for name in ("face", "hand")}
    masks["face"][here[:, 0], :, : side // 4, : side // 4] = 1
    masks["hand"][here[:, 1], :, side // 2 : side // 2 + side // 8] = 1
    pictures = {name: torch.rand(count, 3, 8 * side, 8 * side, generator=draw) for name in ("pose", "depth")}
    return Batch(
        noisy=normal(count, channels, side, side).to(dtype),
        target=normal(count, channels, side, side),
        masks={name: mask.to(device) for name, mask in masks.items()},
        timesteps=torch.randint(0, 1000, (count,), generator=draw).to(device),
        tokens=normal(count, tokens, config["cross_attention_dim"]).to(dtype),
        pooled=normal(count, pooled).to(dtype),
        time_ids=torch.tensor([[8.0 * side, 8 * side, 0, 0, 8 * side, 8 * side]] * count).to(device),
        conditions={name: picture.to(device) for name, picture in pictures.items()},
        texts=("",) * count,
    )


def part_of(batch: Batch, index: list[int]) -> Batch:
    """Some images of a batch."""
    own = {name: value[index] for name, value in vars(batch).items() if isinstance(value, Tensor)}
    for name in ("masks", "conditions"):
        own[name] = {key: value[index] for key, value in getattr(batch, name).items()}
    return Batch(**own, texts=("",) * len(index))


def losses_of(adapter: Adapter, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
    device = batch.noisy.device.type
    half = batch.noisy.dtype
    with torch.autocast(device, half, enabled=half != torch.float32):
        output = adapter.predict(batch)
    return regional_losses(output, batch.target, batch.masks), output


def correct(size: str, device: str, _folder: Path) -> Iterator[tuple[str, Measure]]:
    """(a) Against the CPU in float32."""
    yield "solver", lambda: solver(device)
    for kind in ADAPTERS:
        for precision, scale in (("float32", 1.0), ("bfloat16", 1.0), ("float16", 1024.0)):
            yield f"{kind}-{precision}", lambda k=kind, p=precision, s=scale: compared(k, device, p, s)


def solver(device: str) -> dict[str, object]:
    G = torch.randn(1000, 3, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    K = G @ G.mT
    error = alpha_fair_weights(K.to(device)).cpu() / alpha_fair_weights(K) - 1
    return {"largest_relative_error": float(error.abs().max())}


def compared(kind: str, device: str, precision: str, scale: float) -> dict[str, object]:
    """Two steps of stochastic gradient descent; tiny, so that the CPU can follow."""
    moved = []
    for where, dtype, factor in (("cpu", torch.float32, 1.0), (device, getattr(torch, precision), scale)):
        adapter = adapter_of(kind, pipeline("tiny", "cpu"), "tiny")
        adapter.unet.to(where, dtype)
        for module in (adapter.unet, getattr(adapter, "network", None)):
            if module is not None:
                module.to(where)
        parameters = list(adapter.parameters.values())
        for parameter in parameters:
            parameter.data = parameter.data.float()
        begin = torch.cat([p.detach().cpu().flatten() for p in parameters])
        for _ in range(2):
            losses, _ = losses_of(adapter, batch_of("tiny", 2, where, dtype))
            step = fair_backward(losses, parameters, get_strategy("mpd"), scale=factor)
            if not step.finite:
                return {"failed": "loss or gradient not finite"}
            for parameter in parameters:
                if parameter.grad is not None:
                    parameter.data -= 1e-3 * parameter.grad
                    parameter.grad = None
        moved.append(torch.cat([p.detach().cpu().flatten() for p in parameters]) - begin)
    cosine = torch.nn.functional.cosine_similarity(*moved, dim=0)
    return {"cosine": float(cosine), "length_ratio": float(moved[1].norm() / moved[0].norm())}


def steps(size: str, device: str, _folder: Path) -> Iterator[tuple[str, Measure]]:
    """(b) Each way to take a step."""
    for kind, count, checkpointed in itertools.product(("lora", "controlnet"), (1, 4), (False, True)):
        name = f"{kind}-batch{count}-{'checkpointed' if checkpointed else 'plain'}"
        yield name, lambda k=kind, c=count, g=checkpointed: all_ways(k, size, device, c, g)


def all_ways(kind: str, size: str, device: str, count: int, checkpointed: bool) -> dict[str, object]:
    """Interleaved, so that a drift of the machine's speed falls on all ways alike."""
    dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
    adapter = adapter_of(kind, pipeline(size, device, dtype), size)
    if checkpointed:
        adapter.checkpoint_gradients()
    batch, parameters = batch_of(size, count, device, dtype), list(adapter.parameters.values())
    amortised = Amortised(every=10**6, warmup=2)
    seconds: dict[str, list[float]] = {}
    memory: dict[str, int] = {}
    failed: dict[str, str] = {}
    for repeat in range(3 + REPEATS[size]):
        for way in WAYS:
            if way in failed:
                continue
            for parameter in parameters:
                parameter.grad = None
            try:
                taken, peak = timed(lambda w=way: take(w, adapter, batch, parameters, amortised), device)
            except (RuntimeError, ImportError) as error:
                failed[way] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
                continue
            if repeat >= 3:  # after a warm-up, in which the amortised strategy takes its exact steps
                seconds.setdefault(way, []).append(taken)
                memory[way] = peak
    medians = {way: float(torch.tensor(values).median()) for way, values in seconds.items()}
    base = seconds.get("ordinary", [])
    ratios = {
        way: float((torch.tensor(values) / torch.tensor(base)).median())
        for way, values in seconds.items()
        if len(values) == len(base)
    }
    found = {"seconds": medians, "over_ordinary": ratios, "peak_bytes": memory, "failed": failed}
    if not device.startswith("cuda"):
        return found | {"synchronisations_absent": f"torch counts them for CUDA alone, and this is {device}"}
    counted = {
        way: synchronisations(lambda w=way: take(w, adapter, batch, parameters, amortised)) for way in medians
    }
    return found | {"synchronisations": counted}


def synchronisations(what: Callable[[], object]) -> int:
    """How often the host waits for the GPU: torch warns each time."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            what()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return sum("called a synchronizing CUDA operation" in str(one.message) for one in caught)


def take(way: str, adapter: Adapter, batch: Batch, parameters: list[Tensor], amortised: Amortised) -> None:
    """One step up to ``.grad``."""
    if way == "grouped":
        grouped(adapter, batch, parameters)
        return
    losses, output = losses_of(adapter, batch)
    if way == "ordinary":
        torch.stack(list(losses.values())).sum().backward()
    elif way in ("exact", "batched"):
        fair_backward(losses, parameters, get_strategy("mpd"), batched=way == "batched")
    elif way == "amortised":
        fair_backward(losses, parameters, amortised, output=output, noise=batch.timesteps / 1000)
    elif way == "released":
        released(losses, parameters)
    else:
        from torchjd.aggregation import FairGrad
        from torchjd.autojac import backward, jac_to_grad

        backward(list(losses.values()))
        jac_to_grad(parameters, FairGrad(2.0), optimize_gramian_computation=True)


def grouped(adapter: Adapter, batch: Batch, parameters: list[Tensor]) -> None:
    groups: dict[tuple[bool, ...], list[int]] = {}
    count = len(batch.noisy)
    here = torch.stack([mask.flatten(1).amax(1) > 0 for mask in batch.masks.values()], 1).tolist()
    for index, regions in enumerate(here):
        groups.setdefault(tuple(regions), []).append(index)
    accumulator = FairAccumulator(parameters, get_strategy("mpd"))
    for regions, index in groups.items():
        losses, _ = losses_of(adapter, part_of(batch, index))
        absent = [name for name, is_here in zip(batch.masks, regions, strict=True) if not is_here]
        accumulator.add(losses, absent=absent, weight=len(index) / count)
        del losses
    accumulator.step()


def released(losses: dict[str, Tensor], parameters: list[Tensor]) -> None:
    """Full backward passes into a dense matrix, as in the released code; solved as ``fairgrad_official``."""
    rows = []
    for k, loss in enumerate(losses.values()):
        loss.backward(retain_graph=k + 1 < len(losses))
        rows.append(torch.cat([_gradient(p).reshape(-1).float() for p in parameters]))
        for parameter in parameters:
            parameter.grad = None
    G = torch.stack(rows)
    K = (G @ G.mT).double().cpu()
    w = get_strategy("fairgrad_official").weights(K[0], K, torch.ones(len(K), dtype=torch.bool))
    direction = w.to(G) @ G
    for parameter, piece in zip(parameters, direction.split([p.numel() for p in parameters]), strict=True):
        parameter.grad = piece.view_as(parameter).to(parameter.dtype)


def _gradient(parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def timed(what: Callable[[], object], device: str) -> tuple[float, int]:
    """Seconds, and on a GPU the most bytes held at once (0 on a CPU)."""
    cuda = device.startswith("cuda")
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    what()
    if cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start, torch.cuda.max_memory_allocated() if cuda else 0


def inference(size: str, device: str, _folder: Path) -> Iterator[tuple[str, Measure]]:
    """(c) The time of Table 4, without text encoders and decoder, which are alike for all."""
    for system in ("base", "lora", "fused", "mole"):
        yield system, lambda s=system: denoised(s, size, device)


def denoised(system: str, size: str, device: str) -> dict[str, object]:
    dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
    base = pipeline(size, device, dtype)
    rank = SIZES[size][1]
    if system in ("lora", "fused"):
        LoRA(base, rank=rank)
    elif system == "mole":
        MoLE(base, rank=rank)
    unet = base.unet.to(dtype)
    if system == "fused":
        unet.fuse_lora()
        unet.unload_lora()
    count = 30 if size == "sdxl" else 3
    batch = batch_of(size, 2, device, dtype)  # with and without the prompt, for guidance
    added = {"text_embeds": batch.pooled, "time_ids": batch.time_ids}

    @torch.no_grad()
    def denoise() -> None:
        scheduler = UniPCMultistepScheduler()
        scheduler.set_timesteps(count, device=device)
        latent = batch.noisy[:1]
        for moment in scheduler.timesteps:
            both = unet(latent.expand(2, -1, -1, -1), moment, batch.tokens, added_cond_kwargs=added)[0]
            without, with_prompt = both.chunk(2)
            guided = without + 7.5 * (with_prompt - without)
            latent = scheduler.step(guided, moment, latent, return_dict=False)[0].to(dtype)

    denoise()
    found = [timed(denoise, device) for _ in range(REPEATS[size])]
    return {"seconds": [one[0] for one in found], "peak_bytes": max(one[1] for one in found)}


def base(size: str, device: str, folder: Path) -> Iterator[tuple[str, Measure]]:
    """(d) The training of the base's UNet and text encoders, on random latents."""
    for piece in range(PIECES):
        yield (
            f"piece-{piece + 1}",
            lambda p=piece: piece_of_base(p, size, device, folder / "accelerator-base"),
        )


def piece_of_base(piece: int, size: str, device: str, folder: Path) -> dict[str, object]:
    """The steps up to the next checkpoint; read from the log where an earlier call has made them."""
    from fairhuman.models import TINY as SMALLEST
    from fairhuman.models import build_pipeline
    from fairhuman.training._run import read_lines
    from fairhuman.training.base import BaseSettings, LatentSet, train_denoiser

    length = 50 if size == "sdxl" else 2
    given = {"data": ".", "output": str(folder), "device": device, "checkpoint_every": length}
    if size == "tiny":
        denoiser = {"warmup": 0, "decay": 0, "batch_size": 2, "small_batch_size": 2}
        given |= {"architecture": SMALLEST.to_dict(), "denoiser": denoiser}
    settings = BaseSettings.from_yaml(RECIPE, **given) if size == "sdxl" else BaseSettings.from_mapping(given)
    networks = settings.architecture
    pipeline = build_pipeline(networks, ["a", "person"], 0)
    draw, sets = torch.Generator().manual_seed(3), []
    for side in (networks.image_size, networks.image_size // 2):
        latents = torch.randn(64, networks.latent_channels, side // 8, side // 8, generator=draw)
        sets.append(LatentSet(latents, ["a person"] * len(latents), side))
    first, peak = piece * length, 0
    while len(read_lines(folder / "log.jsonl")) < first + length:
        # A deadline that is over: it stops at the next checkpoint.
        _, peak = timed(lambda: train_denoiser(pipeline, sets, settings, folder, False, 0.0), device)
    made = read_lines(folder / "log.jsonl")[first : first + length]
    seconds, images = (sum(line[name] for line in made) for name in ("seconds", "images"))
    losses = [line["loss"] for line in made]
    return {"first": first, "steps": length, "images": images, "seconds": seconds, "peak_bytes": peak} | {
        "median_loss": float(torch.tensor(losses).median())
    }


def paper(size: str, device: str, _folder: Path) -> Iterator[tuple[str, Measure]]:
    """(e) The paper's LoRA training: batch 1, AdamW, 1e-5, clipped at 1; on random weights and images."""
    for strategy in ("mpd", "mpd_amortised", "ls"):
        yield strategy, lambda s=strategy: trained(s, size, device)


def trained(strategy: str, size: str, device: str) -> dict[str, object]:
    dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
    adapter = adapter_of("lora", pipeline(size, device, dtype), size)
    adapter.checkpoint_gradients()
    parameters, weigh = list(adapter.parameters.values()), get_strategy(strategy)
    optimizer = torch.optim.AdamW(parameters, lr=1e-5)
    batch = batch_of(size, 1, device, dtype)

    def step() -> None:
        losses, output = losses_of(adapter, batch)
        noise = batch.timesteps / 1000
        found = fair_backward(losses, parameters, weigh, output=output, noise=noise)
        if not found.finite:
            raise RuntimeError("loss or gradient not finite")
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    found = [timed(step, device) for _ in range(50 if size == "sdxl" else 10)]
    seconds = torch.tensor([one[0] for one in found])
    return {"median_seconds": float(seconds.median()), "peak_bytes": max(one[1] for one in found)}


PARTS = {"correct": correct, "steps": steps, "inference": inference, "base": base, "paper": paper}


if __name__ == "__main__":
    main()
