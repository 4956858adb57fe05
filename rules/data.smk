# Raw data sets, their check, and the stylised source images.


rule render:
    output:
        manifest="results/datasets/{dataset}/raw.csv",
    log:
        "results/logs/datasets/{dataset}/render.log",
    benchmark:
        "results/benchmarks/datasets/{dataset}/render.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 2
    resources:
        mem_mb=2000,
        runtime=30,
        disk_mb=1000,
    params:
        cfg=plan.cfg("render"),
        setup=plan.setup("render"),
    message:
        "Rendering the street scenes of {wildcards.dataset}"
    shell:
        "python -m bismap render --cfg {params.cfg:q} --setup {params.setup:q} --manifest {output.manifest:q} --threads {threads} --log {log:q}"


rule index:
    input:
        raw=plan.rendered,
    output:
        index="results/datasets/{dataset}/index.csv",
    log:
        "results/logs/datasets/{dataset}/index.log",
    benchmark:
        "results/benchmarks/datasets/{dataset}/index.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 8
    resources:
        mem_mb=4000,
        runtime=120,
        disk_mb=100,
    params:
        cfg=plan.cfg("index"),
        setup=plan.setup("index"),
    message:
        "Checking every image and label of {wildcards.dataset}"
    shell:
        "python -m bismap index --cfg {params.cfg:q} --setup {params.setup:q} --raw {input.raw:q} --index {output.index:q} "
        "--threads {threads} --log {log:q}"


rule weights:
    input:
        checkpoint=plan.checkpoint,
    output:
        weights="results/weights/{weights}.safetensors",
        report="results/weights/{weights}.report.json",
    log:
        "results/logs/weights/{weights}.log",
    benchmark:
        "results/benchmarks/weights/{weights}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
        disk_mb=1000,
    params:
        cfg=plan.cfg("weights"),
        setup=plan.setup("weights"),
    message:
        "Converting the pre-trained weights {wildcards.weights}"
    shell:
        "python -m bismap weights --cfg {params.cfg:q} --setup {params.setup:q} --checkpoint {input.checkpoint:q} "
        "--weights {output.weights:q} --report {output.report:q} --threads {threads} --log {log:q}"


rule stylize:
    input:
        source_index=plan.source_index,
        target_index=plan.target_index,
    output:
        manifest="results/{exp}/stylized/{shard}.csv",
    log:
        "results/logs/{exp}/stylize/{shard}.log",
    benchmark:
        "results/benchmarks/{exp}/stylize/{shard}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 4
    resources:
        mem_mb=4000,
        runtime=120,
        disk_mb=4000,
    params:
        cfg=plan.cfg("stylize"),
        setup=plan.setup("stylize"),
    message:
        "Aligning the colours of source images with the target ({wildcards.exp}, part {wildcards.shard})"
    shell:
        "python -m bismap stylize --cfg {params.cfg:q} --setup {params.setup:q} --source-index {input.source_index:q} "
        "--target-index {input.target_index:q} --shard {wildcards.shard} --manifest {output.manifest:q} "
        "--threads {threads} --log {log:q}"
