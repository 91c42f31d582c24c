import java.io.FileWriter;
import java.io.IOException;
import java.io.Writer;
import java.nio.file.Path;
import java.time.Instant;
import kinesismultilang.Kcl;
import kinesismultilang.Kcl.InitializationInput;
import kinesismultilang.Kcl.KinesisClientRecord;
import kinesismultilang.Kcl.ProcessRecordsInput;
import kinesismultilang.Kcl.ShardEndedInput;
import kinesismultilang.Kcl.ShutdownRequestedInput;

/**
 * The echo processor on our Java client. It decodes each record's data. ../go/echochild/main.go
 * describes its notes.
 */
public final class Echo implements Kcl.ShardRecordProcessor {
    private static final long NANOS = 1_000_000_000L;
    private final Writer notes;

    private Echo(Writer notes) throws IOException {
        this.notes = notes;
        note("start", "");
    }

    public static void main(String[] arguments) throws IOException {
        Path folder = Path.of(System.getenv("BENCH_NOTES"));
        String pid = String.valueOf(ProcessHandle.current().pid());
        Kcl.run(new Echo(new FileWriter(folder.resolve(pid).toFile())));
    }

    @Override
    public void initialize(InitializationInput input) throws IOException {
        note("init", "");
    }

    @Override
    public void processRecords(ProcessRecordsInput input) throws IOException {
        long bytes = 0;
        for (KinesisClientRecord record : input.records()) bytes += record.data().length;
        note("batch", " " + input.records().size() + " " + bytes);
    }

    @Override
    public void shardEnded(ShardEndedInput input) throws Exception {
        input.checkpointer().checkpoint();
    }

    @Override
    public void shutdownRequested(ShutdownRequestedInput input) throws Exception {
        input.checkpointer().checkpoint();
    }

    private void note(String word, String numbers) throws IOException {
        Instant now = Instant.now();
        notes.write(word + " " + (now.getEpochSecond() * NANOS + now.getNano()) + numbers + "\n");
        notes.flush();
    }
}
