import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import kinesismultilang.KinesisProducer;
import kinesismultilang.KinesisProducer.KinesisProducerConfiguration;
import kinesismultilang.KinesisProducer.UserRecordFailedException;
import kinesismultilang.KinesisProducer.UserRecordResult;

/**
 * Puts records from STDIN, one per line: a partition key, a tab and a text. It writes one line for
 * each record to STDOUT, in the same order, as soon as its outcome is known: "stored SHARD_ID
 * SEQUENCE_NUMBER SUB_SEQUENCE_NUMBER" or "failed ERROR". Its arguments are options of
 * kinesis-multilang produce, such as --stream words.
 */
public final class PutWords {
    /** Bounds the outcomes that wait for an earlier one. */
    private static final int MOST_UNREPORTED = 1 << 16;

    private static final CompletableFuture<UserRecordResult> LAST = new CompletableFuture<>();

    public static void main(String[] options) throws Exception {
        KinesisProducer producer;
        try {
            producer = new KinesisProducer(new KinesisProducerConfiguration().addOptions(options));
        } catch (IllegalStateException error) {
            System.err.println(error.getMessage());
            System.exit(1);
            return;
        }
        BlockingQueue<CompletableFuture<UserRecordResult>> puts = new LinkedBlockingQueue<>(MOST_UNREPORTED);
        CompletableFuture<Boolean> allStored = CompletableFuture.supplyAsync(() -> report(puts));
        putLines(producer, puts);
        producer.close();
        puts.put(LAST);
        System.exit(allStored.get() ? 0 : 1);
    }

    private static void putLines(KinesisProducer producer, BlockingQueue<CompletableFuture<UserRecordResult>> puts)
            throws IOException, InterruptedException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            int tab = line.indexOf('\t');
            ByteBuffer text = ByteBuffer.wrap(line.substring(tab + 1).getBytes(StandardCharsets.UTF_8));
            puts.put(producer.addUserRecord(null, line.substring(0, Math.max(tab, 0)), text));
        }
        producer.flush();
    }

    private static boolean report(BlockingQueue<CompletableFuture<UserRecordResult>> puts) {
        PrintStream out = new PrintStream(System.out, true);
        boolean allStored = true;
        try {
            for (CompletableFuture<UserRecordResult> put = puts.take(); put != LAST; put = puts.take()) {
                try {
                    UserRecordResult stored = put.get();
                    out.println("stored " + stored.getShardId() + " " + stored.getSequenceNumber() + " " + stored.getSubSequenceNumber());
                } catch (ExecutionException error) {
                    allStored = false;
                    out.println("failed " + ((UserRecordFailedException) error.getCause()).getErrorCode());
                }
            }
        } catch (InterruptedException error) {
            return false;
        }
        return allStored;
    }
}
