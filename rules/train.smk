# One rule trains every run; what a run trains on is the config's business.


rule train:
    input:
        unpack(plan.training_inputs),
    output:
        model="results/{exp}/{run}/model.safetensors",
        metrics="results/{exp}/{run}/metrics.csv",
    log:
        "results/logs/{exp}/{run}/train.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/train.tsv"
    conda:
        "../envs/cuda.yaml"
    threads: 16
    resources:
        gpu=1,
        mem_mb=32000,
        runtime=4320,
        disk_mb=4000,
    params:
        cfg=plan.cfg("train"),
        setup=plan.setup("train"),
        launch=plan.launch,
    message:
        "Training {wildcards.run} ({wildcards.exp})"
    shell:
        "{params.launch} train --cfg {params.cfg:q} --setup {params.setup:q} --source-index {input.source_index:q} "
        "--target-index {input.target_index:q} --stylized {input.stylized:q} "
        "--transferability {input.transferability:q} --pseudo-labels {input.pseudo_labels:q} "
        "--teacher {input.teacher:q} --init-weights {input.init_weights:q} "
        "--model {output.model:q} --metrics {output.metrics:q} --threads {threads} --log {log:q}"
