"""``sample``: generate images; ``fuse``: merge a LoRA into its base; ``convert``: change a LoRA's layout."""

from pathlib import Path
from typing import Annotated

import typer


def sample(
    prompts: Annotated[
        Path, typer.Argument(help="File with one prompt per line, or a .jsonl file with text fields.")
    ],
    out: Annotated[Path, typer.Argument(help="Output folder: new, or made with the same settings.")],
    base: Annotated[str | None, typer.Option(help="Base pipeline. Default: the embedded base.")] = None,
    adapter: Annotated[
        Path | None,
        typer.Option("--adapter", "--lora", help="Run folder, saved weights, or a checkpoint."),
    ] = None,
    conditions: Annotated[
        Path | None,
        typer.Option(help="Data set whose i-th image provides pose or depth for the i-th prompt."),
    ] = None,
    scale: Annotated[float, typer.Option(help="Adapter strength β (Eq. 12).")] = 1.0,
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 30,
    guidance: Annotated[float, typer.Option(help="Classifier-free guidance scale.")] = 7.5,
    seed: Annotated[list[int] | None, typer.Option(help="Seed; repeatable. Default: 0.")] = None,
    batch: Annotated[int, typer.Option(help="Batch size.")] = 8,
    size: Annotated[int | None, typer.Option(help="Side length in pixels. Default: the base's.")] = None,
    negative: Annotated[str | None, typer.Option(help="Negative prompt.")] = None,
    chunks: Annotated[
        int, typer.Option(help="Chunks of 75 tokens per prompt; at least as many as in training.")
    ] = 1,
    precision: Annotated[
        str, typer.Option(help="no, or bf16, which halves the time on many processors.")
    ] = "no",
    limit: Annotated[
        int | None, typer.Option(help="Use only the first prompts, up to this number.", min=1)
    ] = None,
) -> None:
    """Generate images for a file of prompts, with a base and optionally an adapter; resumable."""
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
    lora: Annotated[Path, typer.Argument(help="Run folder or LoRA file.")],
    out: Annotated[Path, typer.Argument(help="New folder or .safetensors file for the merged base.")],
    base: Annotated[str | None, typer.Option(help="The LoRA's base. Default: the embedded base.")] = None,
    scale: Annotated[float, typer.Option(help="LoRA strength β (Eq. 12).")] = 1.0,
) -> None:
    """Merge a LoRA into its base; the result is an ordinary base without extra inference cost."""
    from fairhuman.models import fuse as merge

    typer.echo(merge(lora, out, base=base, scale=scale))


def convert(
    lora: Annotated[Path, typer.Argument(help="Run folder, or LoRA file in either layout.")],
    out: Annotated[Path, typer.Argument(help="New .safetensors file.")],
    layout: Annotated[str, typer.Option(help="kohya (sd-scripts, A1111, ComfyUI) or diffusers.")] = "kohya",
    base: Annotated[str | None, typer.Option(help="The LoRA's base. Default: the embedded base.")] = None,
) -> None:
    """Convert a LoRA to the layout of other tools, or back to that of diffusers."""
    from fairhuman.models.adapters import convert_lora

    typer.echo(convert_lora(lora, out, layout, base=base))
