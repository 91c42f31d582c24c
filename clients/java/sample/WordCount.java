import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Map;
import java.util.TreeMap;
import kinesismultilang.Json;
import kinesismultilang.Kcl;
import kinesismultilang.Kcl.Checkpointer;
import kinesismultilang.Kcl.InitializationInput;
import kinesismultilang.Kcl.KinesisClientRecord;
import kinesismultilang.Kcl.LeaseLostInput;
import kinesismultilang.Kcl.ProcessRecordsInput;
import kinesismultilang.Kcl.ShardEndedInput;
import kinesismultilang.Kcl.ShutdownException;
import kinesismultilang.Kcl.ShutdownRequestedInput;

/**
 * Counts words: each record is one UTF-8 word. The sample stores a shard's counts before each
 * checkpoint, so a restart continues from counts that match the checkpoint. If the process dies
 * between the two, it counts the words since the last checkpoint twice.
 */
public final class WordCount implements Kcl.ShardRecordProcessor {
    private static final long CHECKPOINT_EVERY_NANOS = 1_000_000_000L;

    private final String directory = System.getenv("WORD_COUNT_DIR");
    private final Map<String, Long> counts = new TreeMap<>();
    private String shardId;
    private long lastCheckpoint = System.nanoTime() - CHECKPOINT_EVERY_NANOS;

    public static void main(String[] arguments) {
        Kcl.run(new WordCount());
    }

    @Override
    public void initialize(InitializationInput input) throws IOException {
        shardId = input.shardId();
        // Without a checkpoint all records arrive again, so counting starts at zero.
        String checkpoint = input.sequenceNumber();
        if (directory == null || checkpoint == null || !checkpoint.matches("\\d+") || !Files.exists(file())) return;
        Map<?, ?> stored = (Map<?, ?>) Json.read(Files.readString(file()));
        stored.forEach((word, count) -> counts.put((String) word, (Long) count));
    }

    @Override
    public void processRecords(ProcessRecordsInput input) throws Exception {
        for (KinesisClientRecord record : input.records()) {
            counts.merge(new String(record.data(), StandardCharsets.UTF_8), 1L, Long::sum);
        }
        if (System.nanoTime() - lastCheckpoint < CHECKPOINT_EVERY_NANOS) return;
        checkpoint(input.checkpointer());
        lastCheckpoint = System.nanoTime();
    }

    @Override
    public void leaseLost(LeaseLostInput input) {
        report();
    }

    @Override
    public void shardEnded(ShardEndedInput input) throws Exception {
        checkpoint(input.checkpointer());
        report();
    }

    @Override
    public void shutdownRequested(ShutdownRequestedInput input) throws Exception {
        checkpoint(input.checkpointer());
    }

    private void checkpoint(Checkpointer checkpointer) throws Exception {
        if (directory != null) {
            Path draft = Path.of(file() + "." + ProcessHandle.current().pid() + ".tmp");
            Files.writeString(draft, Json.write(counts));
            Files.move(draft, file(), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        }
        try {
            checkpointer.checkpoint();
        } catch (ShutdownException another) {
            // Another worker holds the shard now; leaseLost follows.
        }
    }

    private Path file() {
        return Path.of(directory, shardId + ".json");
    }

    private void report() {
        if (directory == null) System.err.println(shardId + ": " + Json.write(counts));
    }
}
