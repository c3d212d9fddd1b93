# Runs the outdated notebooks in order: `make reproduce PROFILE=quick`.
# fairhuman.workflow derives the graph from the notebooks.
import sys

from fairhuman.profiles import figures_directory, load_profile, workspace
from fairhuman.workflow import check_profile, executed_path, notebook_path, result_names, sources, steps

PROFILE = config.get("profile", "quick")
CHANGES = load_profile(PROFILE)
check_profile(CHANGES)
STEPS = steps()
RESULTS = workspace() / "results" / PROFILE
WRITTEN = {name: [RESULTS / f"{result}.json" for result in result_names(name, CHANGES)] for name in STEPS}


# Long ablations run as separate jobs, on all available cores or machines. In `quick`, the notebook runs its few
# ablations itself.
ABLATIONS = {}
if PROFILE != "quick":
    from fairhuman.experiments.ablations import planned  # takes seconds

    ABLATIONS = planned(PROFILE)


# Results are requested individually: Snakemake would not notice a missing one between up-to-date notebooks.
rule reproduce:
    input:
        [executed_path(name, PROFILE) for name in STEPS],
        [path for paths in WRITTEN.values() for path in paths],
        [RESULTS / f"{name}.json" for name in ABLATIONS],


rule ablations:
    input:
        [RESULTS / f"{name}.json" for name in ABLATIONS],


# A stored result stays until its replacement is complete: `update` keeps Snakemake from deleting it before the job
# and restores it if the job fails.
for result_name, (setting_name, run_seed) in ABLATIONS.items():

    rule:
        name:
            f"ablation_{setting_name}_{run_seed}".replace("-", "_").replace(".", "_")
        input:
            people=ancient(executed_path("00_humans", PROFILE)),
        output:
            update(RESULTS / f"{result_name}.json"),
        params:
            setting=setting_name,
            seed=run_seed,
        message:
            f"ablation {setting_name}, seed {run_seed} ({PROFILE})"
        shell:
            "{sys.executable:q} -m fairhuman ablate --profile {PROFILE:q}"
            " --setting {params.setting:q} --seed {params.seed:q}"


for step_name, step in STEPS.items():

    rule:
        name:
            f"n{step_name}"
        input:
            notebook=notebook_path(step_name),
            library=sources(step_name),
            after=[executed_path(earlier, PROFILE) for earlier in step.after],
            ablations=rules.ablations.input if step_name == "07_ablations" else [],
        output:
            executed=executed_path(step_name, PROFILE),
            results=[update(path) for path in WRITTEN[step_name]],
        params:
            notebook=step_name,
            changes=CHANGES.parameters(step_name),
        log:
            executed_path(step_name, PROFILE).with_suffix(".log"),
        message:
            f"{step_name} ({PROFILE}); to follow it: tail -f {executed_path(step_name, PROFILE).with_suffix('.log')}"
        threads: workflow.cores
        shell:
            "{sys.executable:q} -m fairhuman run {params.notebook:q} --profile {PROFILE:q} > {log:q} 2>&1"
            " || (tail -n 20 {log:q}; exit 1)"


onsuccess:
    print(f"Results: {RESULTS}\nFigures: {figures_directory(PROFILE)}\nNotebooks: {executed_path('', PROFILE).parent}")
