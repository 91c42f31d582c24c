module kinesis-multilang/clients/go

go 1.18
