# Predictions of a run, what they score, and a picture of it all.


rule predict:
    input:
        target_index=plan.target_index,
        model="results/{exp}/{run}/model.safetensors",
    output:
        manifest="results/{exp}/{run}/predictions/{split}/{shard}.csv",
    log:
        "results/logs/{exp}/{run}/predict/{split}/{shard}.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/predict/{split}/{shard}.tsv"
    conda:
        "../envs/cuda.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=120,
        disk_mb=1000,
    params:
        cfg=plan.cfg("predict"),
        setup=plan.setup("predict"),
    message:
        "Labelling {wildcards.split} images ({wildcards.exp}, {wildcards.run}, part {wildcards.shard})"
    shell:
        "python -m bismap predict --cfg {params.cfg:q} --setup {params.setup:q} --target-index {input.target_index:q} "
        "--model {input.model:q} --shard {wildcards.shard} --manifest {output.manifest:q} "
        "--threads {threads} --log {log:q}"


rule evaluate:
    input:
        target_index=plan.evaluation_index,
        predictions=plan.evaluation_predictions,
    output:
        evaluation="results/{exp}/{run}.json",
    log:
        "results/logs/{exp}/{run}/evaluate.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/evaluate.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 4
    resources:
        mem_mb=4000,
        runtime=60,
        disk_mb=100,
    params:
        cfg=plan.cfg("evaluate"),
        setup=plan.setup("evaluate"),
    message:
        "Scoring {wildcards.run} ({wildcards.exp})"
    shell:
        "python -m bismap evaluate --cfg {params.cfg:q} --setup {params.setup:q} --target-index {input.target_index:q} "
        "--predictions {input.predictions:q} --evaluation {output.evaluation:q} --threads {threads} --log {log:q}"


rule overview:
    input:
        unpack(plan.overview_inputs),
    output:
        overview=report(
            "results/{exp}/{run}/overview.png",
            category="Overview",
            labels={"experiment": "{exp}", "run": "{run}", "plot": "overview"},
            caption="../workflow/report/overview.rst",
        ),
    log:
        "results/logs/{exp}/{run}/overview.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/overview.tsv"
    conda:
        "../envs/cpu.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
        disk_mb=100,
    params:
        cfg=plan.cfg("overview"),
        setup=plan.setup("overview"),
    message:
        "Drawing the overview of {wildcards.run} ({wildcards.exp})"
    shell:
        "python -m bismap overview --cfg {params.cfg:q} --setup {params.setup:q} --source-index {input.source_index:q} "
        "--target-index {input.target_index:q} --stylized {input.stylized:q} "
        "--transferability {input.transferability:q} --pseudo-labels {input.pseudo_labels:q} "
        "--predictions {input.predictions:q} --overview {output.overview:q} --threads {threads} --log {log:q}"
