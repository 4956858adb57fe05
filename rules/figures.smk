# Figures of the paper, drawn from this experiment's runs.


rule qualitative:
    input:
        unpack(plan.qualitative_inputs),
    output:
        png=report(
            "results/{exp}/figures/figure4.png",
            category="Figures of the paper",
            labels={"experiment": "{exp}", "figure": "4, predictions"},
            caption="../workflow/report/qualitative.rst",
        ),
        svg="results/{exp}/figures/figure4.svg",
    log:
        "results/logs/{exp}/qualitative.log",
    benchmark:
        "results/benchmarks/{exp}/qualitative.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
        disk_mb=100,
    params:
        cfg=plan.cfg("qualitative"),
        setup=plan.setup("qualitative"),
    message:
        "Drawing figure 4, predictions ({wildcards.exp})"
    shell:
        "python -m bismap qualitative --cfg {params.cfg:q} --setup {params.setup:q} --target-index {input.target_index:q} "
        "--predictions {input.predictions:q} --png {output.png:q} --svg {output.svg:q} --threads {threads} --log {log:q}"


rule label_comparison:
    input:
        unpack(plan.label_comparison_inputs),
    output:
        png=report(
            "results/{exp}/figures/figure5.png",
            category="Figures of the paper",
            labels={"experiment": "{exp}", "figure": "5, pseudo-labels"},
            caption="../workflow/report/label_comparison.rst",
        ),
        svg="results/{exp}/figures/figure5.svg",
    log:
        "results/logs/{exp}/label_comparison.log",
    benchmark:
        "results/benchmarks/{exp}/label_comparison.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
        disk_mb=100,
    params:
        cfg=plan.cfg("label_comparison"),
        setup=plan.setup("label_comparison"),
    message:
        "Drawing figure 5, pseudo-labels ({wildcards.exp})"
    shell:
        "python -m bismap label-comparison --cfg {params.cfg:q} --setup {params.setup:q} "
        "--target-index {input.target_index:q} --pseudo-labels {input.pseudo_labels:q} --png {output.png:q} "
        "--svg {output.svg:q} --threads {threads} --log {log:q}"


rule feature_embedding:
    input:
        unpack(plan.feature_embedding_inputs),
    output:
        png=report(
            "results/{exp}/figures/figure6.png",
            category="Figures of the paper",
            labels={"experiment": "{exp}", "figure": "6, features"},
            caption="../workflow/report/feature_embedding.rst",
        ),
        svg="results/{exp}/figures/figure6.svg",
    log:
        "results/logs/{exp}/feature_embedding.log",
    benchmark:
        "results/benchmarks/{exp}/feature_embedding.tsv"
    conda:
        "../envs/cuda.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=16000,
        runtime=60,
        disk_mb=100,
    params:
        cfg=plan.cfg("feature_embedding"),
        setup=plan.setup("feature_embedding"),
    message:
        "Drawing figure 6, features ({wildcards.exp})"
    shell:
        "python -m bismap feature-embedding --cfg {params.cfg:q} --setup {params.setup:q} "
        "--target-index {input.target_index:q} --models {input.models:q} --png {output.png:q} --svg {output.svg:q} "
        "--threads {threads} --log {log:q}"
