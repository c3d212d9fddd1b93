"""``python -m fairhuman sample``: images for a file of prompts; ``fuse``: a LoRA merged into a base."""

from pathlib import Path
from typing import Annotated

import typer


def sample(
    prompts: Annotated[Path, typer.Argument(help="A prompt a line, or the text of each line of a .jsonl.")],
    out: Annotated[Path, typer.Argument(help="Folder of the images: new, or begun with the same values.")],
    base: Annotated[str | None, typer.Option(help="Base pipeline; by default the embedded one.")] = None,
    adapter: Annotated[
        Path | None, typer.Option("--adapter", "--lora", help="Folder of a training run, or what it saved.")
    ] = None,
    conditions: Annotated[
        Path | None, typer.Option(help="Data set with the pose or depth of the i-th prompt's person.")
    ] = None,
    scale: Annotated[float, typer.Option(help="Strength β of the adapter (Eq. 12).")] = 1.0,
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 30,
    guidance: Annotated[float, typer.Option(help="Scale of classifier-free guidance.")] = 7.5,
    seed: Annotated[list[int] | None, typer.Option(help="Once a seed; 0 by default.")] = None,
    batch: Annotated[int, typer.Option(help="Images at a time.")] = 8,
    size: Annotated[int | None, typer.Option(help="Side in pixels; the base's own by default.")] = None,
    negative: Annotated[str | None, typer.Option(help="What not to draw.")] = None,
    precision: Annotated[str, typer.Option(help="no, or bf16: half the time on many processors.")] = "no",
    limit: Annotated[int | None, typer.Option(help="Use the first so many prompts only.", min=1)] = None,
) -> None:
    """Generate images for a file of prompts, with a base or any adapter on it; a run cut off continues."""
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
        )
    )


def fuse(
    lora: Annotated[Path, typer.Argument(help="Folder of a training run, or a LoRA file.")],
    out: Annotated[Path, typer.Argument(help="Folder for the new base: absent or empty.")],
    base: Annotated[str | None, typer.Option(help="The LoRA's base; by default the embedded one.")] = None,
    scale: Annotated[float, typer.Option(help="Strength β of the LoRA (Eq. 12).")] = 1.0,
) -> None:
    """Merge a LoRA into its base; the result is a base like any other and costs nothing more."""
    from fairhuman.models import fuse as merge

    typer.echo(merge(lora, out, base=base, scale=scale))
