# The method as a workflow: BiSMAP (Lu et al. 2022), unsupervised domain adaptation for semantic segmentation.
#
#   results/{experiment}/{run}.json               per-class IoU of a run; `bismap_distilled` is the method's end
#   results/{experiment}/{run}/overview.png       what the run saw, labelled and predicted
#   results/{experiment}/{run}/plots.csv          all plots of the run and of those behind it (docs/plots.md)
#   results/{experiment}/gallery/index.html       all images, labels, maps and scores, to look at in a browser
#   results/{experiment}/{run}/pseudo_labels/     target labels, one PNG an image
#   results/{experiment}/{run}/transferability/   source weights, one PNG an image
#   results/{experiment}/tables/, figures/        runs side by side, as in the paper (docs/tables.md)
#   results/{experiment}-s3/...                   the same experiment with seed 3
#
# docs/architecture.md has the full map. Settings: config.yaml. Everything below results/ is made, never edited.
from snakemake.utils import min_version

min_version("9.20")

import sys
from shlex import quote

sys.path.insert(0, workflow.basedir)

from workflow.asked import note_jobs
from workflow.plan import load_plan

# Conda environments hold the dependencies; the package itself is this checkout's.
shell.prefix(f"export PYTHONPATH={quote(workflow.basedir)}/src${{{{PYTHONPATH:+:$PYTHONPATH}}}}; ")


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


plan = load_plan(config)


wildcard_constraints:
    **plan.wildcard_constraints(),


include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/transferability.smk"
include: "rules/pseudo_labels.smk"
include: "rules/evaluate.smk"
include: "rules/tables.smk"
include: "rules/figures.smk"
include: "rules/plots.smk"
include: "rules/gallery.smk"


onstart:
    note_jobs(workflow.dag)


rule all:
    default_target: True
    input:
        "results/demo/bismap_distilled.json",
