# Plots of what the stages produced; `snakemake --report` gathers them with their captions (docs/plots.md).


rule plot_learning_curves:
    input:
        metrics="results/{exp}/{run}/metrics.csv",
    output:
        plot=report(
            "results/{exp}/{run}/plots/learning_curves.svg",
            category="Training",
            labels={"experiment": "{exp}", "run": "{run}", "plot": "learning curves"},
            caption="../workflow/report/plot_learning_curves.rst",
        ),
    log:
        "results/logs/{exp}/{run}/plot_learning_curves.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/plot_learning_curves.tsv"
    conda:
        "../envs/cpu.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
        disk_mb=100,
    params:
        cfg=plan.cfg("plot_learning_curves"),
        setup=plan.setup("plot_learning_curves"),
    message:
        "Drawing the learning curves of {wildcards.run} ({wildcards.exp})"
    shell:
        "python -m bismap plot-learning-curves --cfg {params.cfg:q} --setup {params.setup:q} --metrics {input.metrics:q} "
        "--plot {output.plot:q} --threads {threads} --log {log:q}"


rule plot_validation:
    input:
        target_index=plan.target_index,
        metrics=plan.validated,
    output:
        plot=report(
            "results/{exp}/{run}/plots/validation.svg",
            category="Training",
            labels={"experiment": "{exp}", "run": "{run}", "plot": "IoU over time"},
            caption="../workflow/report/plot_validation.rst",
        ),
    log:
        "results/logs/{exp}/{run}/plot_validation.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/plot_validation.tsv"
    conda:
        "../envs/cpu.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
        disk_mb=100,
    params:
        cfg=plan.cfg("plot_validation"),
        setup=plan.setup("plot_validation"),
    message:
        "Drawing the IoU of {wildcards.run} over its training ({wildcards.exp})"
    shell:
        "python -m bismap plot-validation --cfg {params.cfg:q} --setup {params.setup:q} --target-index {input.target_index:q} --metrics {input.metrics:q} "
        "--plot {output.plot:q} --threads {threads} --log {log:q}"


rule plot_transferability:
    input:
        source_index=plan.source_index,
        transferability=plan.transferability,
    output:
        plot=report(
            "results/{exp}/{run}/plots/transferability.svg",
            category="Transferability",
            labels={"experiment": "{exp}", "run": "{run}", "plot": "weights by class"},
            caption="../workflow/report/plot_transferability.rst",
        ),
    log:
        "results/logs/{exp}/{run}/plot_transferability.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/plot_transferability.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 4
    resources:
        mem_mb=4000,
        runtime=120,
        disk_mb=100,
    params:
        cfg=plan.cfg("plot_transferability"),
        setup=plan.setup("plot_transferability"),
    message:
        "Drawing the weights of source pixels ({wildcards.exp}, {wildcards.run})"
    shell:
        "python -m bismap plot-transferability --cfg {params.cfg:q} --setup {params.setup:q} --source-index {input.source_index:q} --transferability {input.transferability:q} "
        "--plot {output.plot:q} --threads {threads} --log {log:q}"


rule plot_clusters:
    input:
        target_index=plan.target_index,
        cells=plan.cells("target"),
        centres="results/{exp}/extractor/target_prototypes.csv",
    output:
        plot=report(
            "results/{exp}/extractor/plots/clusters.png",
            category="Transferability",
            labels={"experiment": "{exp}", "run": "extractor", "plot": "target prototypes"},
            caption="../workflow/report/plot_clusters.rst",
        ),
    log:
        "results/logs/{exp}/plot_clusters.log",
    benchmark:
        "results/benchmarks/{exp}/plot_clusters.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 4
    resources:
        mem_mb=4000,
        runtime=30,
        disk_mb=100,
    params:
        cfg=plan.cfg("plot_clusters"),
        setup=plan.setup("plot_clusters"),
    message:
        "Drawing the cells nearest to each target prototype ({wildcards.exp})"
    shell:
        "python -m bismap plot-clusters --cfg {params.cfg:q} --setup {params.setup:q} --target-index {input.target_index:q} --cells {input.cells:q} --centres {input.centres:q} "
        "--plot {output.plot:q} --threads {threads} --log {log:q}"


rule plot_mixtures:
    input:
        prototypes="results/{exp}/{run}/source_prototypes.csv",
    output:
        plot=report(
            "results/{exp}/{run}/plots/mixtures.svg",
            category="Prototypes",
            labels={"experiment": "{exp}", "run": "{run}", "plot": "mixtures"},
            caption="../workflow/report/plot_mixtures.rst",
        ),
    log:
        "results/logs/{exp}/{run}/plot_mixtures.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/plot_mixtures.tsv"
    conda:
        "../envs/cpu.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
        disk_mb=100,
    params:
        cfg=plan.cfg("plot_mixtures"),
        setup=plan.setup("plot_mixtures"),
    message:
        "Drawing the mixtures of {wildcards.run} ({wildcards.exp})"
    shell:
        "python -m bismap plot-mixtures --cfg {params.cfg:q} --setup {params.setup:q} --prototypes {input.prototypes:q} "
        "--plot {output.plot:q} --threads {threads} --log {log:q}"


rule plot_densities:
    input:
        densities=plan.densities,
    output:
        plot=report(
            "results/{exp}/{run}/plots/densities.svg",
            category="Pseudo-labels",
            labels={"experiment": "{exp}", "run": "{run}", "plot": "log densities"},
            caption="../workflow/report/plot_densities.rst",
        ),
    log:
        "results/logs/{exp}/{run}/plot_densities.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/plot_densities.tsv"
    conda:
        "../envs/cpu.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
        disk_mb=100,
    params:
        cfg=plan.cfg("plot_densities"),
        setup=plan.setup("plot_densities"),
    message:
        "Drawing the log densities of target pixels ({wildcards.exp}, {wildcards.run})"
    shell:
        "python -m bismap plot-densities --cfg {params.cfg:q} --setup {params.setup:q} --scores {input.densities:q} "
        "--plot {output.plot:q} --threads {threads} --log {log:q}"


rule plot_label_curves:
    input:
        curves=plan.label_curves,
    output:
        plot=report(
            "results/{exp}/{run}/plots/label_curves.svg",
            category="Pseudo-labels",
            labels={"experiment": "{exp}", "run": "{run}", "plot": "label curves"},
            caption="../workflow/report/plot_label_curves.rst",
        ),
    log:
        "results/logs/{exp}/{run}/plot_label_curves.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/plot_label_curves.tsv"
    conda:
        "../envs/cpu.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
        disk_mb=100,
    params:
        cfg=plan.cfg("plot_label_curves"),
        setup=plan.setup("plot_label_curves"),
    message:
        "Drawing the label curves of {wildcards.run} ({wildcards.exp})"
    shell:
        "python -m bismap plot-label-curves --cfg {params.cfg:q} --setup {params.setup:q} --curves {input.curves:q} "
        "--plot {output.plot:q} --threads {threads} --log {log:q}"


rule plots:
    input:
        plots=plan.plots,
    output:
        plots="results/{exp}/{run}/plots.csv",
    log:
        "results/logs/{exp}/{run}/plots.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/plots.tsv"
    conda:
        "../envs/cpu.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
        disk_mb=10,
    params:
        cfg=plan.cfg("plots"),
        setup=plan.setup("plots"),
    message:
        "Listing the plots of {wildcards.run} and the runs behind it ({wildcards.exp})"
    shell:
        "python -m bismap plots --cfg {params.cfg:q} --setup {params.setup:q} --files {input.plots:q} "
        "--plots {output.plots:q} --threads {threads} --log {log:q}"
