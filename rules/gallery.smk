# Pages that show a whole experiment.


rule gallery:
    input:
        unpack(plan.gallery_inputs),
    output:
        page="results/{exp}/gallery/index.html",
    log:
        "results/logs/{exp}/gallery.log",
    benchmark:
        "results/benchmarks/{exp}/gallery.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 8
    resources:
        mem_mb=8000,
        runtime=120,
        disk_mb=8000,
    params:
        cfg=plan.cfg("gallery"),
        setup=plan.setup("gallery"),
    message:
        "Making the gallery ({wildcards.exp})"
    shell:
        "python -m bismap gallery --cfg {params.cfg:q} --setup {params.setup:q} --source-index {input.source_index:q} "
        "--target-index {input.target_index:q} --stylized {input.stylized:q} "
        "--transferability {input.transferability:q} --pseudo-labels {input.pseudo_labels:q} "
        "--scores {input.scores:q} --predictions {input.predictions:q} --page {output.page:q} "
        "--threads {threads} --log {log:q}"
