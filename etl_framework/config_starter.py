"""The ``etl.toml`` that ``etl config init`` writes."""

STARTER = """\
# What etl loads and how. `etl config validate` checks this file, `etl config show` tells every setting in effect.
# No secret stands here: a target names a connection whose password is in connections.toml or the environment.

# plugins = ["checks/team_checks.py"]     # files with the team's own checks
# required_plugins = ["team_checks"]      # without these nothing runs
# state_dir = ".etl"                      # journal, logs and rejected rows

[targets.local]
url = "duckdb:warehouse.duckdb"           # a file beside this one

# [targets.prod]
# url = "snowflake:prod"                  # the connection "prod" of connections.toml

[defaults]                                # any setting of a job, for all of them
target = "local"
# compress = "zstd"                       # of what is uploaded: zstd, gzip, none
# jobs = 4                                # workers; default: as many as there are processors

[jobs.sales]
source = "data/sales_{month}.csv"         # also {date}, {date_range}, {month_folder}, globs, folders, or a list
table = "sales"
mode = "append"                           # append, replace, replace-period (needs date_column), merge (needs keys)
# date_column = "sold_on"
# keys = ["sale_id"]
# check = "file"                          # where quality is checked: file, warehouse, both, none
# gate = "before-load"                    # before-upload: no byte leaves before everything is checked
# on_bad_rows = "quarantine"              # load the good rows, keep the bad ones in a file; default: abort
# max_bad_rows = "1%"                     # most bad rows that a quarantine takes: a number or a share

# Without this table, types are inferred from a sample and verified on every row.
# [jobs.sales.columns]
# sale_id = "bigint not null"
# sold_on = { type = "date", format = "%d.%m.%Y" }
# price = "decimal(18,4)"

# [jobs.sales.format]                     # what cannot be seen in the file itself
# encoding = "cp1252"
"""
