# Source features, their mixtures (MAPs) or anchors, the scores of target pixels (densities, posteriors, anchor gaps,
# confidences), and the labels kept.


rule features:
    input:
        source_index=plan.source_index,
        stylized=plan.stylized_of_run,
        model="results/{exp}/{run}/model.safetensors",
    output:
        manifest="results/{exp}/{run}/features/{shard}.csv",
    log:
        "results/logs/{exp}/{run}/features/{shard}.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/features/{shard}.tsv"
    conda:
        "../envs/cuda.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=120,
        disk_mb=8000,
    params:
        cfg=plan.cfg("features"),
        setup=plan.setup("features"),
    message:
        "Correctly classified source features ({wildcards.exp}, {wildcards.run}, part {wildcards.shard})"
    shell:
        "python -m bismap features --cfg {params.cfg:q} --setup {params.setup:q} --source-index {input.source_index:q} "
        "--stylized {input.stylized:q} --model {input.model:q} --shard {wildcards.shard} "
        "--manifest {output.manifest:q} --threads {threads} --log {log:q}"


rule source_prototypes:
    input:
        source_index=plan.source_index,
        features=plan.features,
    output:
        manifest="results/{exp}/{run}/source_prototypes.csv",
    log:
        "results/logs/{exp}/{run}/source_prototypes.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/source_prototypes.tsv"
    conda:
        "../envs/cuda.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=120,
        disk_mb=100,
    params:
        cfg=plan.cfg("source_prototypes"),
        setup=plan.setup("source_prototypes"),
    message:
        "Fitting each class's Gaussian mixture ({wildcards.exp}, {wildcards.run})"
    shell:
        "python -m bismap source-prototypes --cfg {params.cfg:q} --setup {params.setup:q} --source-index {input.source_index:q} "
        "--features {input.features:q} --manifest {output.manifest:q} --threads {threads} --log {log:q}"


rule densities:
    input:
        target_index=plan.target_index,
        model="results/{exp}/{run}/model.safetensors",
        prototypes="results/{exp}/{run}/source_prototypes.csv",
    output:
        manifest="results/{exp}/{run}/densities/{shard}.csv",
    log:
        "results/logs/{exp}/{run}/densities/{shard}.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/densities/{shard}.tsv"
    conda:
        "../envs/cuda.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=240,
        disk_mb=4000,
    params:
        cfg=plan.cfg("densities"),
        setup=plan.setup("densities"),
    message:
        "Class densities of target pixels ({wildcards.exp}, {wildcards.run}, part {wildcards.shard})"
    shell:
        "python -m bismap densities --cfg {params.cfg:q} --setup {params.setup:q} --target-index {input.target_index:q} "
        "--model {input.model:q} --prototypes {input.prototypes:q} --shard {wildcards.shard} "
        "--manifest {output.manifest:q} --threads {threads} --log {log:q}"


rule posteriors:
    input:
        target_index=plan.target_index,
        model="results/{exp}/{run}/model.safetensors",
        prototypes="results/{exp}/{run}/source_prototypes.csv",
    output:
        manifest="results/{exp}/{run}/posteriors/{shard}.csv",
    log:
        "results/logs/{exp}/{run}/posteriors/{shard}.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/posteriors/{shard}.tsv"
    conda:
        "../envs/cuda.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=240,
        disk_mb=4000,
    params:
        cfg=plan.cfg("posteriors"),
        setup=plan.setup("posteriors"),
    message:
        "Posterior odds of target pixels ({wildcards.exp}, {wildcards.run}, part {wildcards.shard})"
    shell:
        "python -m bismap posteriors --cfg {params.cfg:q} --setup {params.setup:q} --target-index {input.target_index:q} "
        "--model {input.model:q} --prototypes {input.prototypes:q} --shard {wildcards.shard} "
        "--manifest {output.manifest:q} --threads {threads} --log {log:q}"


rule category_anchors:
    input:
        source_index=plan.source_index,
        features=plan.features,
    output:
        manifest="results/{exp}/{run}/category_anchors.csv",
    log:
        "results/logs/{exp}/{run}/category_anchors.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/category_anchors.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
        disk_mb=100,
    params:
        cfg=plan.cfg("category_anchors"),
        setup=plan.setup("category_anchors"),
    message:
        "Mean feature of each class ({wildcards.exp}, {wildcards.run})"
    shell:
        "python -m bismap category-anchors --cfg {params.cfg:q} --setup {params.setup:q} --source-index {input.source_index:q} "
        "--features {input.features:q} --manifest {output.manifest:q} --threads {threads} --log {log:q}"


rule anchor_gaps:
    input:
        target_index=plan.target_index,
        model="results/{exp}/{run}/model.safetensors",
        anchors="results/{exp}/{run}/category_anchors.csv",
    output:
        manifest="results/{exp}/{run}/anchor_gaps/{shard}.csv",
    log:
        "results/logs/{exp}/{run}/anchor_gaps/{shard}.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/anchor_gaps/{shard}.tsv"
    conda:
        "../envs/cuda.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=240,
        disk_mb=4000,
    params:
        cfg=plan.cfg("anchor_gaps"),
        setup=plan.setup("anchor_gaps"),
    message:
        "Nearest category anchor of target pixels ({wildcards.exp}, {wildcards.run}, part {wildcards.shard})"
    shell:
        "python -m bismap anchor-gaps --cfg {params.cfg:q} --setup {params.setup:q} --target-index {input.target_index:q} "
        "--model {input.model:q} --anchors {input.anchors:q} --shard {wildcards.shard} "
        "--manifest {output.manifest:q} --threads {threads} --log {log:q}"


rule confidences:
    input:
        target_index=plan.target_index,
        model="results/{exp}/{run}/model.safetensors",
    output:
        manifest="results/{exp}/{run}/confidences/{shard}.csv",
    log:
        "results/logs/{exp}/{run}/confidences/{shard}.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/confidences/{shard}.tsv"
    conda:
        "../envs/cuda.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=240,
        disk_mb=4000,
    params:
        cfg=plan.cfg("confidences"),
        setup=plan.setup("confidences"),
    message:
        "Most confident class of target pixels ({wildcards.exp}, {wildcards.run}, part {wildcards.shard})"
    shell:
        "python -m bismap confidences --cfg {params.cfg:q} --setup {params.setup:q} --target-index {input.target_index:q} "
        "--model {input.model:q} --shard {wildcards.shard} "
        "--manifest {output.manifest:q} --threads {threads} --log {log:q}"


rule ias_thresholds:
    input:
        confidences=plan.confidences,
    output:
        manifest="results/{exp}/{run}/ias_thresholds.csv",
    log:
        "results/logs/{exp}/{run}/ias_thresholds.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/ias_thresholds.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 4
    resources:
        mem_mb=2000,
        runtime=60,
        disk_mb=100,
    params:
        cfg=plan.cfg("ias_thresholds"),
        setup=plan.setup("ias_thresholds"),
    message:
        "Class thresholds of each target image ({wildcards.exp}, {wildcards.run})"
    shell:
        "python -m bismap ias-thresholds --cfg {params.cfg:q} --setup {params.setup:q} --scores {input.confidences:q} "
        "--manifest {output.manifest:q} --threads {threads} --log {log:q}"


rule pseudo_labels:
    input:
        scores=plan.scores,
        thresholds=plan.thresholds,
    output:
        manifest="results/{exp}/{run}/pseudo_labels/{assignment}/{shard}.csv",
    log:
        "results/logs/{exp}/{run}/pseudo_labels/{assignment}/{shard}.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/pseudo_labels/{assignment}/{shard}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 4
    resources:
        mem_mb=4000,
        runtime=60,
        disk_mb=1000,
    params:
        cfg=plan.cfg("pseudo_labels"),
        setup=plan.setup("pseudo_labels"),
    message:
        "Keeping the pixels above the threshold ({wildcards.exp}, {wildcards.run}, part {wildcards.shard})"
    shell:
        "python -m bismap pseudo-labels --cfg {params.cfg:q} --setup {params.setup:q} --scores {input.scores:q} "
        "--thresholds {input.thresholds:q} --shard {wildcards.shard} --manifest {output.manifest:q} --threads {threads} --log {log:q}"


rule pseudo_label_quality:
    input:
        target_index=plan.target_index,
        pseudo_labels=plan.pseudo_labels,
    output:
        quality="results/{exp}/{run}/pseudo_labels/{assignment}.json",
    log:
        "results/logs/{exp}/{run}/pseudo_label_quality/{assignment}.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/pseudo_label_quality/{assignment}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 4
    resources:
        mem_mb=4000,
        runtime=60,
        disk_mb=100,
    params:
        cfg=plan.cfg("pseudo_label_quality"),
        setup=plan.setup("pseudo_label_quality"),
    message:
        "Measuring pseudo-labels against held-back truth ({wildcards.exp}, {wildcards.run})"
    shell:
        "python -m bismap pseudo-label-quality --cfg {params.cfg:q} --setup {params.setup:q} --target-index {input.target_index:q} "
        "--pseudo-labels {input.pseudo_labels:q} --quality {output.quality:q} --threads {threads} --log {log:q}"


rule pseudo_label_curve:
    input:
        target_index=plan.target_index,
        scores=plan.scores_with_truth,
    output:
        curve="results/{exp}/{run}/pseudo_labels/{assignment}.curve.csv",
    log:
        "results/logs/{exp}/{run}/pseudo_label_curve/{assignment}.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/pseudo_label_curve/{assignment}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 4
    resources:
        mem_mb=4000,
        runtime=120,
        disk_mb=100,
    params:
        cfg=plan.cfg("pseudo_label_curve"),
        setup=plan.setup("pseudo_label_curve"),
    message:
        "Measuring {wildcards.assignment} over its thresholds ({wildcards.exp}, {wildcards.run})"
    shell:
        "python -m bismap pseudo-label-curve --cfg {params.cfg:q} --setup {params.setup:q} --target-index {input.target_index:q} "
        "--scores {input.scores:q} --curve {output.curve:q} --threads {threads} --log {log:q}"
