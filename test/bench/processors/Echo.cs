using System;
using System.Diagnostics;
using System.IO;
using Amazon.Kinesis.ClientLibrary;

/// <summary>
/// The echo processor on our C# client. It decodes each record's data. ../go/echochild/main.go
/// describes its notes.
/// </summary>
public sealed class Echo : IShardRecordProcessor
{
    private const long NanosPerTick = 100;
    private static readonly DateTime Epoch = new DateTime(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc);
    private readonly StreamWriter notes;

    private Echo(StreamWriter notes)
    {
        this.notes = notes;
        Note("start", "");
    }

    public static void Main()
    {
        string folder = Environment.GetEnvironmentVariable("BENCH_NOTES");
        string pid = Process.GetCurrentProcess().Id.ToString();
        StreamWriter notes = new StreamWriter(Path.Combine(folder, pid)) { AutoFlush = true };
        KclProcess.Create(new Echo(notes)).Run();
    }

    public void Initialize(InitializationInput input)
    {
        Note("init", "");
    }

    public void ProcessRecords(ProcessRecordsInput input)
    {
        long bytes = 0;
        foreach (Record record in input.Records) bytes += record.Data.Length;
        Note("batch", " " + input.Records.Count + " " + bytes);
    }

    public void LeaseLost(LeaseLossInput input) { }

    public void ShardEnded(ShardEndedInput input)
    {
        input.Checkpointer.Checkpoint();
    }

    public void ShutdownRequested(ShutdownRequestedInput input)
    {
        input.Checkpointer.Checkpoint();
    }

    private void Note(string word, string numbers)
    {
        long nanos = (DateTime.UtcNow - Epoch).Ticks * NanosPerTick;
        notes.Write(word + " " + nanos + numbers + "\n");
    }
}
