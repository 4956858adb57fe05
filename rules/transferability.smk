# Source transferability maps: cell features of a network that never saw the labels, target prototypes, class entropy.


rule extractor:
    input:
        unpack(plan.extractor_inputs),
    output:
        model="results/{exp}/extractor/model.safetensors",
    log:
        "results/logs/{exp}/extractor.log",
    benchmark:
        "results/benchmarks/{exp}/extractor.tsv"
    conda:
        "../envs/cuda.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=240,
        disk_mb=1000,
    params:
        cfg=plan.cfg("extractor"),
        setup=plan.setup("extractor"),
    message:
        "Providing the network that judges transferability ({wildcards.exp})"
    shell:
        "python -m bismap extractor --cfg {params.cfg:q} --setup {params.setup:q} --source-index {input.source_index:q} "
        "--target-index {input.target_index:q} --stylized {input.stylized:q} --weights {input.weights:q} "
        "--model {output.model:q} --threads {threads} --log {log:q}"


rule extract:
    input:
        unpack(plan.extract_inputs),
    output:
        manifest="results/{exp}/extractor/{domain}/{shard}.csv",
    log:
        "results/logs/{exp}/extract/{domain}/{shard}.log",
    benchmark:
        "results/benchmarks/{exp}/extract/{domain}/{shard}.tsv"
    conda:
        "../envs/cuda.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=60,
        disk_mb=2000,
    params:
        cfg=plan.cfg("extract"),
        setup=plan.setup("extract"),
    message:
        "Features of {wildcards.domain} image cells ({wildcards.exp}, part {wildcards.shard})"
    shell:
        "python -m bismap extract --cfg {params.cfg:q} --setup {params.setup:q} --source-index {input.source_index:q} "
        "--target-index {input.target_index:q} --stylized {input.stylized:q} --extractor {input.extractor:q} "
        "--shard {wildcards.shard} --manifest {output.manifest:q} --threads {threads} --log {log:q}"


rule target_prototypes:
    input:
        cells=plan.cells("target"),
    output:
        manifest="results/{exp}/extractor/target_prototypes.csv",
    log:
        "results/logs/{exp}/target_prototypes.log",
    benchmark:
        "results/benchmarks/{exp}/target_prototypes.tsv"
    conda:
        "../envs/cuda.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=60,
        disk_mb=100,
    params:
        cfg=plan.cfg("target_prototypes"),
        setup=plan.setup("target_prototypes"),
    message:
        "Clustering the target's cells into prototypes ({wildcards.exp})"
    shell:
        "python -m bismap target-prototypes --cfg {params.cfg:q} --setup {params.setup:q} --cells {input.cells:q} "
        "--manifest {output.manifest:q} --threads {threads} --log {log:q}"


rule source_distances:
    input:
        cells=plan.cells("source"),
        centres="results/{exp}/extractor/target_prototypes.csv",
    output:
        manifest="results/{exp}/extractor/source_distances.csv",
    log:
        "results/logs/{exp}/source_distances.log",
    benchmark:
        "results/benchmarks/{exp}/source_distances.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 4
    resources:
        mem_mb=4000,
        runtime=240,
        disk_mb=500,
    params:
        cfg=plan.cfg("source_distances"),
        setup=plan.setup("source_distances"),
    message:
        "Distance of each source cell to the nearest target prototype ({wildcards.exp})"
    shell:
        "python -m bismap source-distances --cfg {params.cfg:q} --setup {params.setup:q} --cells {input.cells:q} "
        "--centres {input.centres:q} --manifest {output.manifest:q} --threads {threads} --log {log:q}"


rule class_entropy:
    input:
        source_index=plan.source_index,
        target_index=plan.target_index,
        model=plan.entropy_model,
    output:
        entropy="results/{exp}/{run}/class_entropy.csv",
    log:
        "results/logs/{exp}/{run}/class_entropy.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/class_entropy.tsv"
    conda:
        "../envs/cuda.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=120,
        disk_mb=100,
    params:
        cfg=plan.cfg("class_entropy"),
        setup=plan.setup("class_entropy"),
    message:
        "Entropy of each class's predictions on the target ({wildcards.exp}, {wildcards.run})"
    shell:
        "python -m bismap class-entropy --cfg {params.cfg:q} --setup {params.setup:q} --source-index {input.source_index:q} "
        "--target-index {input.target_index:q} --model {input.model:q} --entropy {output.entropy:q} --threads {threads} --log {log:q}"


rule transferability:
    input:
        source_index=plan.source_index,
        distances="results/{exp}/extractor/source_distances.csv",
        entropy="results/{exp}/{run}/class_entropy.csv",
    output:
        manifest="results/{exp}/{run}/transferability/{shard}.csv",
    log:
        "results/logs/{exp}/{run}/transferability/{shard}.log",
    benchmark:
        "results/benchmarks/{exp}/{run}/transferability/{shard}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 4
    resources:
        mem_mb=4000,
        runtime=60,
        disk_mb=1000,
    params:
        cfg=plan.cfg("transferability"),
        setup=plan.setup("transferability"),
    message:
        "Weight of each source pixel ({wildcards.exp}, {wildcards.run}, part {wildcards.shard})"
    shell:
        "python -m bismap transferability --cfg {params.cfg:q} --setup {params.setup:q} --source-index {input.source_index:q} "
        "--distances {input.distances:q} --entropy {input.entropy:q} --shard {wildcards.shard} "
        "--manifest {output.manifest:q} --threads {threads} --log {log:q}"
