// Counts words: each record is one UTF-8 word. The sample stores a shard's counts before each
// checkpoint, so a restart continues from counts that match the checkpoint. If the process dies
// between the two, it counts the words since the last checkpoint twice.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text;
using Amazon.Kinesis.ClientLibrary;

public sealed class WordCount : IShardRecordProcessor
{
    private static readonly TimeSpan CheckpointEvery = TimeSpan.FromSeconds(1);
    private static readonly string Folder = Environment.GetEnvironmentVariable("WORD_COUNT_DIR");

    private readonly Dictionary<string, long> counts = new Dictionary<string, long>();
    private readonly Stopwatch clock = Stopwatch.StartNew();
    private TimeSpan nextCheckpoint = TimeSpan.Zero;
    private string shardId;
    private string file;

    public static void Main()
    {
        KclProcess.Create(new WordCount()).Run();
    }

    public void Initialize(InitializationInput input)
    {
        shardId = input.ShardId;
        if (Folder == null) return;
        file = Path.Combine(Folder, shardId + ".json");
        // Without a checkpoint all records arrive again, so counting starts at zero.
        bool hasCheckpoint = input.SequenceNumber != null && input.SequenceNumber.All(char.IsDigit);
        if (!hasCheckpoint || !File.Exists(file)) return;
        foreach (KeyValuePair<string, object> each in (Dictionary<string, object>)Json.Read(File.ReadAllText(file)))
            counts[each.Key] = (long)each.Value;
    }

    public void ProcessRecords(ProcessRecordsInput input)
    {
        foreach (Record record in input.Records)
        {
            string word = Encoding.UTF8.GetString(record.Data);
            long before;
            counts.TryGetValue(word, out before);
            counts[word] = before + 1;
        }
        if (clock.Elapsed < nextCheckpoint) return;
        Checkpoint(input.Checkpointer);
        nextCheckpoint = clock.Elapsed + CheckpointEvery;
    }

    public void LeaseLost(LeaseLossInput input)
    {
        Report();
    }

    public void ShardEnded(ShardEndedInput input)
    {
        Checkpoint(input.Checkpointer);
        Report();
    }

    public void ShutdownRequested(ShutdownRequestedInput input)
    {
        Checkpoint(input.Checkpointer);
    }

    private void Checkpoint(Checkpointer checkpointer)
    {
        if (file != null) Store();
        try
        {
            checkpointer.Checkpoint();
        }
        catch (CheckpointException error)
        {
            // Another worker holds the shard now; LeaseLost follows.
            if (error.Value != "ShutdownException") throw;
        }
    }

    private void Store()
    {
        string draft = file + "." + Process.GetCurrentProcess().Id + ".tmp";
        File.WriteAllText(draft, Text());
        if (File.Exists(file)) File.Replace(draft, file, null);
        else File.Move(draft, file);
    }

    private void Report()
    {
        if (file == null) Console.Error.WriteLine(shardId + ": " + Text());
    }

    private string Text()
    {
        return "{" + string.Join(",", counts.Select(each => Json.Quote(each.Key) + ":" + each.Value)) + "}";
    }
}
