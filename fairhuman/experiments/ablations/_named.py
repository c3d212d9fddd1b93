"""The settings of the ablations by name, and their tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairhuman.profiles import unknown

__all__ = ["SETTINGS", "TABLES", "Setting", "Table", "find_settings", "find_table"]


@dataclass(frozen=True)
class Setting:
    """Changes of one ablation run relative to the common run, an MPD LoRA on face and hand.

    Attributes:
        name: Name of its results and runs.
        label: Name in figures and tables.
        changes: Field of :class:`fairhuman.training.TrainSettings` → value.
        trained: False for the base itself, which is evaluated untrained.
        longer: Factor on the number of steps, for comparisons at equal time.
    """

    name: str
    label: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    trained: bool = True
    longer: float = 1.0

    @property
    def adapter(self) -> str:
        """The adapter kind."""
        return self.changes.get("adapter", "lora")


@dataclass(frozen=True)
class Table:
    """One question: its settings in order, and the reference settings.

    Attributes:
        name: Name on the command line.
        title: The question.
        settings: Setting names, in row order.
        against: Names of the reference settings.
    """

    name: str
    title: str
    settings: tuple[str, ...]
    against: tuple[str, ...]


def _released(*names: str, **changes: Any) -> dict[str, Any]:
    return {"released": names, **changes}


_CONTROLLED: Mapping[str, str] = {
    "controlnet": "ControlNet",
    "controlnet-union": "ControlNet-Union",
    "t2i-adapter": "T2I-Adapter",
}

SETTINGS: Mapping[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting("base", "base", trained=False),
        Setting("global", "l₁ alone", {"regions": (), "strategy": "ls"}),
        Setting("sum", "sum (LS)", {"strategy": "ls"}),
        Setting("mpd", "MPD, exact"),
        *(
            Setting(f"{kind}-{name}", f"{title}, {label}", {"adapter": kind, **changes})
            for kind, title in _CONTROLLED.items()
            for name, label, changes in (
                ("global", "l₁ alone", {"regions": (), "strategy": "ls"}),
                ("sum", "sum", {"strategy": "ls"}),
                ("mpd", "MPD", {}),
            )
        ),
        Setting(
            "controlnet-sum-longer",
            "ControlNet, sum, longer",
            {"adapter": "controlnet", "strategy": "ls"},
            longer=1.75,
        ),
        # 64, 128 and 256 are 1/20, 1/10 and 1/5 of SDXL's widest attention; so are 10, 19 and 38 of the
        # miniature's.
        *(Setting(f"rank-{rank}", f"rank {rank}", {"rank": rank}) for rank in (10, 19, 38, 64, 128)),
        *(
            Setting(f"sum-rank-{rank}", f"sum, rank {rank}", {"strategy": "ls", "rank": rank})
            for rank in (64, 128)
        ),
        Setting("dwa", "DWA", {"strategy": "dwa"}),
        Setting("uw", "UW", {"strategy": "uw"}),
        Setting("rlw", "RLW", {"strategy": "rlw"}),
        Setting("si", "SI", {"strategy": "si"}),
        Setting("nash", "Nash-MTL", {"strategy": "nash_mtl"}),
        Setting("mpd-printed", "MPD, Eq. 10", {"strategy": "mpd_closed_form"}),
        Setting("mpd-solver", "MPD, released solver", {"strategy": "fairgrad_official"}),
        Setting("mpd-amortised", "MPD, amortised", {"strategy": "mpd_amortised"}),
        Setting("mgda", "max-min (MGDA)", {"strategy": "mgda"}),
        *(
            Setting(name, label, {"strategy": name.replace("-", "_")})
            for name, label in (
                ("upgrad", "UPGrad"),
                ("pcd", "PCD, whole image first"),
                ("psmgd", "PSMGD"),
                ("sdmgrad", "SDMGrad"),
                ("modo", "MoDo"),
                ("famo", "FAMO"),
                ("mpd-log", "MPD of log-losses"),
            )
        ),
        # Median areas of face and hand in the training set, as notebook 03 measures them.
        Setting("mpd-area", "MPD of losses per area", {"strategy": "mpd_area:1,0.029,0.013"}),
        Setting("sum-preserved", "sum, preserving", {"strategy": "ls", "preservation": True}),
        Setting("mpd-preserved", "MPD, preserving", {"preservation": True}),
        *(
            Setting(f"alpha-{alpha:g}", f"α = {alpha:g}", {"strategy": f"alpha_fair:{alpha:g}"})
            for alpha in (1, 4)
        ),
        Setting("regions-face", "face alone", {"regions": ("face",)}),
        Setting("regions-hand", "hand alone", {"regions": ("hand",)}),
        Setting("regions-all", "with feet and eyes", {"regions": ("face", "hand", "foot", "eyes")}),
        # Equivalent of the released script's factor of 5 inside the square.
        Setting("sum-scale-25", "sum, local × 25", {"strategy": "ls", "local_scale": 25.0}),
        # Constant weights in the ratio of MPD's median weights in the profile `full`: tests whether they must
        # adapt.
        Setting("sum-weighted", "sum, MPD's median weights", {"strategy": "ls:1,20,60"}),
        Setting("mpd-scale-25", "MPD, local × 25", {"local_scale": 25.0}),
        Setting("released-fp16", "weights from scaled gradients", _released("scaled_gradients")),
        Setting("released-flips", "masks flipped independently", _released("independent_flips")),
        Setting("released-x0", "with the clean-latent term", _released("x0_term")),
        Setting(
            "released-parts",
            "only the last micro-batch counts",
            _released("overwriting_accumulation", accumulation=4),
        ),
        Setting("released-masks", "masks by nearest pixel", {"mask_mode": "hard"}),
        Setting("released-adamw", "AdamW", {"optimizer": "adamw"}),
        Setting("released-clip", "clipped at 1", {"clip_norm": 1.0}),
        Setting(
            "released-all",
            "the LoRA script as released",
            _released(
                "local_scale_inside",
                "times_k",
                "scaled_gradients",
                "independent_flips",
                strategy="fairgrad_official",
                mask_mode="hard",
                optimizer="adamw",
                clip_norm=1.0,
            ),
        ),
        # The same for the ControlNet's MPD.
        Setting(
            "controlnet-sum-weighted",
            "ControlNet, sum, MPD's median weights",
            {"adapter": "controlnet", "strategy": "ls:1,23,100"},
        ),
        # Measured cost of an exact MPD step on three objectives: benchmarks/step_cost.py.
        Setting("sum-longer", "sum, twice the steps", {"strategy": "ls"}, longer=2.0),
    )
}
"""Every setting by name."""

TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        Table(
            "2",
            "Objectives and fairness (Table 2, LoRA)",
            ("base", "global", "sum", "mpd"),
            ("global", "sum", "base"),
        ),
        Table(
            "2-controlnet",
            "Objectives and fairness (Table 2, ControlNet)",
            ("base", "controlnet-global", "controlnet-sum", "controlnet-sum-longer",
             "controlnet-sum-weighted", "controlnet-mpd"),
            ("controlnet-global", "controlnet-sum", "controlnet-sum-longer",
             "controlnet-sum-weighted", "base"),
        ),
        *(
            Table(
                f"2-{kind}",
                f"Objectives and fairness (Table 2, {title})",
                ("base", f"{kind}-global", f"{kind}-sum", f"{kind}-mpd"),
                (f"{kind}-global", f"{kind}-sum"),
            )
            for kind, title in _CONTROLLED.items()
            if kind != "controlnet"
        ),
        *(
            Table(
                f"2-rank-{rank}",
                f"Objectives and fairness (Table 2, LoRA of rank {rank})",
                ("base", f"sum-rank-{rank}", f"rank-{rank}"),
                (f"sum-rank-{rank}",),
            )
            for rank in (64, 128)
        ),
        Table("3", "Rank of the LoRA (Table 3)", ("base", "rank-10", "rank-19", "rank-38"), ("rank-38",)),
        Table(
            "3-sdxl",
            "Rank of the LoRA below SDXL's 256 (Table 3)",
            ("base", "rank-64", "rank-128", "mpd"),
            ("mpd",),
        ),
        Table(
            "5",
            "Strategies (Table 5)",
            ("base", "sum", "dwa", "uw", "rlw", "si", "nash", "mpd", "mpd-printed", "mpd-solver",
             "mpd-amortised"),
            ("mpd",),
        ),
        Table(
            "alpha",
            "From the plain sum to max-min",
            ("base", "sum", "alpha-1", "mpd", "alpha-4", "mgda"),
            ("mpd",),
        ),
        Table(
            "rivals",
            "Published rivals, and MPD in other units",
            ("base", "upgrad", "pcd", "psmgd", "sdmgrad", "modo", "famo", "mpd", "mpd-log", "mpd-area"),
            ("mpd",),
        ),
        Table(
            "preservation",
            "What lies outside the regions held to the base",
            ("base", "sum-preserved", "mpd", "mpd-preserved"),
            ("mpd",),
        ),
        Table(
            "regions",
            "Which regions have objectives",
            ("base", "global", "regions-face", "regions-hand", "mpd", "regions-all"),
            ("mpd",),
        ),
        Table(
            "scale",
            "Constant weights of the local losses",
            ("base", "sum", "sum-scale-25", "sum-weighted", "mpd", "mpd-scale-25"),
            ("sum", "mpd"),
        ),
        Table("time", "Equal time", ("base", "sum", "sum-longer", "mpd", "mpd-amortised"), ("mpd",)),
        Table(
            "released",
            "Deviations of the released code",
            ("base", "sum", "mpd", "mpd-scale-25", "released-fp16", "released-flips", "released-x0",
             "released-parts", "released-masks", "released-adamw", "released-clip", "released-all"),
            ("mpd",),
        ),
    )
}  # fmt: skip
"""Every table by name.

The released ControlNet script never runs MPD, so it equals the row ``sum``. Multiplying the direction by K
has no row: Adam's step is invariant to a constant factor on the gradients if they are large relative to its
ε.
"""


def find_table(name: str) -> Table:
    """The table of this name.

    Raises:
        ValueError: It does not exist.
    """
    if name not in TABLES:
        raise ValueError(f"table: {unknown(name, TABLES)}")
    return TABLES[name]


def find_settings(names: list[str] | tuple[str, ...]) -> list[Setting]:
    """The settings of these names, each once, in their order.

    Raises:
        ValueError: One of them does not exist.
    """
    for name in names:
        if name not in SETTINGS:
            raise ValueError(f"setting: {unknown(name, SETTINGS)}")
    return [SETTINGS[name] for name in dict.fromkeys(names)]
