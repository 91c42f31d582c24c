module echo

go 1.24

require kinesis-multilang/clients/go v0.0.0

replace kinesis-multilang/clients/go => ../../../../clients/go
