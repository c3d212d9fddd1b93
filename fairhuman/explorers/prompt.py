"""A prompt box: images of a base and of an adapter from the same noise (notebook 04)."""

from __future__ import annotations

import os
import time
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import ipywidgets
from PIL import Image

from fairhuman.sheet import jpeg

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline

    from fairhuman.models.adapters import Adapter

__all__ = ["PromptBox"]

_FIELDS = ("prompt", "seed", "steps", "guidance", "beta")
_KEPT: dict[tuple[str, ...], dict[str, Any]] = {}
"""Arguments → last state of their box, for the kernel's lifetime."""


class PromptBox(ipywidgets.VBox):
    """Generates images for a prompt only on request, so that showing it costs nothing in a batch run.

    The base is loaded for the first image. A box recreated with the same arguments keeps its last prompt and
    images.

    Args:
        base: Folder or repository of the base. Default: the embedded base.
        adapter: A run folder or saved weights; its image is shown next to the base's. Adapters conditioned on
            pose or depth are refused at the first image.
        prompt: The prompt.
        seed: Seed of the noise, ≥ 0.
        steps: Denoising steps, in [1, 100].
        guidance: Classifier-free guidance scale, in [1, 15].
        beta: Adapter strength β (Eq. 12), in [0, 1.5].
        size: Image side length in pixels. Default: the base's.

    Attributes:
        images: Label → image, for the last prompt.
        seconds: Time per image in the last call, without cached images; None before the first call.
    """

    def __init__(
        self,
        base: str | None = None,
        adapter: str | os.PathLike[str] | None = None,
        *,
        prompt: str = "A woman waving, upper body, grey background",
        seed: int = 0,
        steps: int = 20,
        guidance: float = 5.0,
        beta: float = 1.0,
        size: int | None = None,
    ) -> None:
        self._base, self._adapter_path, self._size = base, adapter, size
        self._pipeline: StableDiffusionXLPipeline | None = None
        self._adapter: Adapter | None = None
        self.images: dict[str, Image.Image] = {}
        self.seconds: float | None = None
        self._drawn: dict[tuple[Any, ...], Image.Image] = {}
        wide = {"description_width": "5.5em"}
        self.prompt = ipywidgets.Textarea(
            prompt, description="prompt", rows=2, layout={"width": "36em", "max_width": "98%"}, style=wide
        )
        self.seed = ipywidgets.BoundedIntText(seed, min=0, max=2**31 - 1, description="seed", style=wide)
        self.steps = ipywidgets.IntSlider(steps, min=1, max=100, description="steps", style=wide)
        self.guidance = ipywidgets.FloatSlider(
            guidance, min=1, max=15, step=0.5, description="guidance", style=wide
        )
        self.beta = ipywidgets.FloatSlider(
            beta, min=0, max=1.5, step=0.05, description="β (Eq. 12)", style=wide, disabled=adapter is None
        )
        _check(self, {"seed": seed, "steps": steps, "guidance": guidance, "beta": beta})
        self.button = ipywidgets.Button(description="Draw", button_style="primary")
        self.progress = ipywidgets.IntProgress(0, max=1, layout={"visibility": "hidden"})
        self.status = ipywidgets.HTML("Nothing is drawn before you ask.")
        self.pictures = ipywidgets.HBox(layout={"flex_flow": "row wrap"})
        self.button.on_click(lambda _: self._pressed())
        rows = [[self.seed, self.steps], [self.guidance, *([self.beta] if adapter is not None else [])]]
        boxes = [ipywidgets.HBox(row, layout={"flex_flow": "row wrap"}) for row in rows]
        asked = ipywidgets.HBox([self.button, self.progress, self.status], layout={"flex_flow": "row wrap"})
        super().__init__([self.prompt, *boxes, asked, self.pictures])
        self._remember((str(base), str(adapter), prompt, f"{seed} {steps} {guidance} {beta} {size}"))

    def ask(self) -> dict[str, Image.Image]:
        """Generate images for the current values.

        Returns:
            Label → image: ``base``, and ``β = …`` with an adapter.

        Raises:
            ValueError: The prompt is empty, or the adapter is conditioned on pose or depth.
            FileNotFoundError: The base or adapter does not exist.
        """
        if not self.prompt.value.strip():
            raise ValueError("prompt: must not be empty")
        self._load()
        wanted = {"base": None}
        if self._adapter is not None:
            wanted[f"β = {self.beta.value:g}"] = self.beta.value
        common = (self.prompt.value, self.seed.value, self.steps.value, self.guidance.value)
        left = {words: beta for words, beta in wanted.items() if (*common, beta) not in self._drawn}
        self.progress.max, self.progress.value = max(len(left) * self.steps.value, 1), 0
        began = time.perf_counter()
        for words, beta in left.items():
            self.status.value = f"Drawing {words} …"
            self._drawn[(*common, beta)] = self._draw(beta)
        if left:
            self.seconds = (time.perf_counter() - began) / len(left)
        self.images = {words: self._drawn[(*common, beta)] for words, beta in wanted.items()}
        self._show()
        return self.images

    def _pressed(self) -> None:
        self.button.disabled, self.progress.layout.visibility = True, "visible"
        try:
            self.ask()
        except (ValueError, OSError) as error:  # shown where the reader looks, not in a log
            self.status.value = f"<b>{_escaped(str(error))}</b>"
        finally:
            self.button.disabled, self.progress.layout.visibility = False, "hidden"

    def _load(self) -> None:
        if self._pipeline is not None:
            return
        import torch

        from fairhuman.models import load_base
        from fairhuman.models.adapters import load_adapter

        self.status.value = "Loading the base …"
        pipeline = load_base(self._base, device="cuda" if torch.cuda.is_available() else "cpu")
        if self._adapter_path is not None:
            adapter = load_adapter(pipeline, self._adapter_path)
            if adapter.conditions:
                reads = " and ".join(adapter.conditions)
                raise ValueError(f"adapter: must draw from text alone, got one that reads {reads}")
            self._adapter = adapter
        self._pipeline = pipeline

    def _draw(self, beta: float | None) -> Image.Image:
        from fairhuman.sampling import sample

        adapter = self._adapter
        pipeline: Any = self._pipeline
        if adapter is not None:
            adapter.scale = 0.0 if beta is None else beta
            pipeline = adapter.sampler()

        def tick(*arguments: Any) -> dict[str, Any]:
            self.progress.value += 1
            return arguments[-1]

        def further(_: Any) -> dict[str, Any]:
            return ({} if adapter is None else adapter.arguments({})) | {"callback_on_step_end": tick}

        options: dict[str, Any] = {
            "steps": self.steps.value,
            "guidance": self.guidance.value,
            "size": self._size,
        }
        seeds = [self.seed.value]
        drawn = sample(pipeline, [self.prompt.value], seeds=seeds, further=further, progress=False, **options)
        return drawn[0].load()

    def _show(self) -> None:
        self.pictures.children = [
            ipywidgets.VBox(
                [ipywidgets.Image(value=jpeg(image), format="jpeg", width=256), ipywidgets.Label(words)]
            )
            for words, image in self.images.items()
        ]
        if self.seconds is not None:
            self.status.value = f"{self.seconds:.1f} s per image, {self.steps.value} steps"

    def _remember(self, key: tuple[str, ...]) -> None:
        kept = _KEPT.setdefault(key, {})
        for name in _FIELDS:
            field = getattr(self, name)
            field.value = kept.get(name, field.value)
            field.observe(lambda change, name=name: kept.update({name: change["new"]}), "value")
        if "box" in kept:
            before: PromptBox = kept["box"]
            self._pipeline, self._adapter, self._drawn = before._pipeline, before._adapter, before._drawn
            self.images, self.seconds = before.images, before.seconds
            self._show()
        kept["box"] = self

    def _repr_mimebundle_(self, **options: Any) -> Any:
        live = super()._repr_mimebundle_(**options) or {}
        bundle = live | {
            "text/plain": "PromptBox: run this cell in JupyterLab, type a prompt and press Draw."
        }
        if self.images:
            shown = list(self.images.values())
            strip = Image.new("RGB", (sum(one.width for one in shown), max(one.height for one in shown)))
            for number, one in enumerate(shown):
                strip.paste(one, (sum(other.width for other in shown[:number]), 0))
            bundle["image/jpeg"] = b64encode(jpeg(strip)).decode()
        return bundle


def _check(box: PromptBox, values: dict[str, float]) -> None:
    """Reject values that a slider would silently clip."""
    for name, value in values.items():
        field = getattr(box, name)
        if not field.min <= value <= field.max:
            raise ValueError(f"{name}: must lie in [{field.min:g}, {field.max:g}], got {value!r}")


def _escaped(text: str) -> str:
    import html

    return html.escape(text)
