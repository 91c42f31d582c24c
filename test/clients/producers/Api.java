import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import kinesismultilang.Json;
import kinesismultilang.KinesisProducer;
import kinesismultilang.KinesisProducer.Attempt;
import kinesismultilang.KinesisProducer.KinesisProducerConfiguration;
import kinesismultilang.KinesisProducer.Metric;
import kinesismultilang.KinesisProducer.UserRecord;
import kinesismultilang.KinesisProducer.UserRecordFailedException;
import kinesismultilang.KinesisProducer.UserRecordResult;

/** Calls everything of the Java producer and writes what it receives; see producerClient.ts. */
public final class Api {
    public static void main(String[] arguments) throws Exception {
        KinesisProducer producer = new KinesisProducer(new KinesisProducerConfiguration().setRecordMaxBufferedTime(50));
        byte[] bytes = new byte[256];
        for (int i = 0; i < bytes.length; i++) bytes[i] = (byte) i;
        ByteBuffer data = ByteBuffer.wrap(bytes);
        List<Future<UserRecordResult>> puts = new ArrayList<>();
        String hashKey = "170141183460469231731687303715884105728";
        for (int i = 0; i < 10; i++) puts.add(producer.addUserRecord("words", "k", hashKey, data));
        for (int i = 0; i < 10; i++) puts.add(producer.addUserRecord(new UserRecord("words", "k", hashKey, data)));
        producer.flush();
        producer.flushSync();
        int flushed = producer.getOutstandingRecordsCount();
        Set<String> shards = new TreeSet<>();
        Set<Boolean> successes = new TreeSet<>();
        for (Future<UserRecordResult> put : puts) {
            shards.add(put.get().getShardId());
            for (Attempt attempt : put.get().getAttempts()) successes.add(attempt.isSuccessful());
        }
        double received = 0;
        for (Metric metric : producer.getMetrics("UserRecordsReceived")) {
            if (metric.getDimensions().isEmpty()) received += metric.getSum();
        }
        String failed = failure(producer, "");
        producer.destroy();
        KinesisProducer.Totals totals = producer.getTotals();
        System.out.println(Json.write(Map.of(
                "shards", new ArrayList<Object>(shards),
                "attempts", new ArrayList<Object>(successes),
                "flushed", flushed,
                "received", received,
                "failed", failed,
                "afterClose", failure(producer, "k"),
                "totals", List.of(totals.stored, totals.failed, totals.notStored))));
    }

    private static String failure(KinesisProducer producer, String partitionKey) throws InterruptedException {
        try {
            producer.addUserRecord("words", partitionKey, ByteBuffer.wrap(new byte[] {1})).get();
            return "no error";
        } catch (ExecutionException error) {
            return ((UserRecordFailedException) error.getCause()).getErrorCode();
        }
    }
}
