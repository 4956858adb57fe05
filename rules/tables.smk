# Tables of results: `tables` in config.yaml says which runs they hold.


rule table:
    input:
        unpack(plan.table_inputs),
    output:
        csv="results/{exp}/tables/{table}.csv",
        markdown="results/{exp}/tables/{table}.md",
        latex="results/{exp}/tables/{table}.tex",
    log:
        "results/logs/{exp}/table/{table}.log",
    benchmark:
        "results/benchmarks/{exp}/table/{table}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        disk_mb=100,
    params:
        cfg=plan.cfg("table"),
        setup=plan.setup("table"),
    message:
        "Writing {wildcards.table} ({wildcards.exp})"
    shell:
        "python -m bismap table --cfg {params.cfg:q} --setup {params.setup:q} --evaluations {input.evaluations:q} "
        "--qualities {input.qualities:q} --published {input.published:q} --csv {output.csv:q} "
        "--markdown {output.markdown:q} --latex {output.latex:q} --threads {threads} --log {log:q}"
