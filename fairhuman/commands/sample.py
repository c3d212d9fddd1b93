"""``sample``: images for prompts; ``fuse``: a LoRA merged into its base; ``convert``: its other layouts."""

from pathlib import Path
from typing import Annotated

import typer


def sample(
    prompts: Annotated[
        Path, typer.Argument(help="One prompt per line, or the text of each line of a .jsonl.")
    ],
    out: Annotated[Path, typer.Argument(help="Folder of the images: new, or of the same settings.")],
    base: Annotated[str | None, typer.Option(help="Base pipeline; by default the embedded one.")] = None,
    adapter: Annotated[
        Path | None,
        typer.Option("--adapter", "--lora", help="Folder of a run, what it saved, or a checkpoint."),
    ] = None,
    conditions: Annotated[
        Path | None, typer.Option(help="Data set with the pose or depth of the i-th prompt's person.")
    ] = None,
    scale: Annotated[float, typer.Option(help="Strength β of the adapter (Eq. 12).")] = 1.0,
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 30,
    guidance: Annotated[float, typer.Option(help="Scale of classifier-free guidance.")] = 7.5,
    seed: Annotated[list[int] | None, typer.Option(help="Seed, by default 0; may be given again.")] = None,
    batch: Annotated[int, typer.Option(help="Images at a time.")] = 8,
    size: Annotated[int | None, typer.Option(help="Side in pixels; by default the base's.")] = None,
    negative: Annotated[str | None, typer.Option(help="Negative prompt.")] = None,
    chunks: Annotated[int, typer.Option(help="Parts of 75 tokens of a prompt, as trained or more.")] = 1,
    precision: Annotated[str, typer.Option(help="no, or bf16: half the time on many processors.")] = "no",
    limit: Annotated[int | None, typer.Option(help="Use only this many prompts.", min=1)] = None,
) -> None:
    """Generate images for a file of prompts, with a base or any adapter on it; an interrupted run resumes."""
    from fairhuman.sampling import read_prompts, sample_file

    texts = read_prompts(prompts)[:limit]
    typer.echo(
        sample_file(
            texts,
            out,
            base=base,
            adapter=adapter,
            conditions=conditions,
            seeds=seed or [0],
            steps=steps,
            guidance=guidance,
            batch=batch,
            size=size,
            adapter_scale=scale,
            negative_prompt=negative,
            precision=precision,
            chunks=chunks,
        )
    )


def fuse(
    lora: Annotated[Path, typer.Argument(help="Folder of a training run, or a LoRA file.")],
    out: Annotated[Path, typer.Argument(help="New folder for the new base; or a new .safetensors file.")],
    base: Annotated[str | None, typer.Option(help="The LoRA's base; by default the embedded one.")] = None,
    scale: Annotated[float, typer.Option(help="Strength β of the LoRA (Eq. 12).")] = 1.0,
) -> None:
    """Merge a LoRA into its base; the result is a base like any other and costs nothing more."""
    from fairhuman.models import fuse as merge

    typer.echo(merge(lora, out, base=base, scale=scale))


def convert(
    lora: Annotated[Path, typer.Argument(help="Folder of a training run, or a LoRA file of either layout.")],
    out: Annotated[Path, typer.Argument(help="New .safetensors file.")],
    layout: Annotated[str, typer.Option(help="kohya (sd-scripts, A1111, ComfyUI) or diffusers.")] = "kohya",
    base: Annotated[str | None, typer.Option(help="The LoRA's base; by default the embedded one.")] = None,
) -> None:
    """Write a LoRA in the layout of other tools, or theirs in that of diffusers."""
    from fairhuman.models.adapters import convert_lora

    typer.echo(convert_lora(lora, out, layout, base=base))
