// Puts records with the Kinesis Producer Library: see drive.mjs, whose arguments and output it has.
// The library has no limit on what it holds, so this program has the one that its README asks for.

import com.google.common.util.concurrent.FutureCallback;
import com.google.common.util.concurrent.Futures;
import com.google.common.util.concurrent.MoreExecutors;
import java.net.URI;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.kinesis.producer.KinesisProducer;
import software.amazon.kinesis.producer.KinesisProducerConfiguration;
import software.amazon.kinesis.producer.UserRecordResult;

public final class Kpl {
  private static final int KEYS = 100_000;

  private final KinesisProducer producer;
  private final byte[] payload;
  private final Semaphore room;
  private final AtomicLong failed = new AtomicLong();
  private final AtomicLong outstanding = new AtomicLong();

  private Kpl(URI endpoint, int bytes, int mostOutstanding) {
    producer = new KinesisProducer(new KinesisProducerConfiguration()
        .setRegion("us-east-1")
        .setKinesisEndpoint(endpoint.getHost())
        .setKinesisPort(endpoint.getPort())
        .setVerifyCertificate(false)
        .setMetricsLevel("none")
        .setLogLevel("warning")
        .setCredentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create("local", "local"))));
    payload = new byte[bytes];
    room = new Semaphore(mostOutstanding);
  }

  public static void main(String[] args) throws Exception {
    int bytes = Integer.parseInt(args[2]);
    long warmUp = Long.parseLong(args[3]);
    long records = Long.parseLong(args[4]);
    long perSecond = Long.parseLong(args[5]);
    int mostOutstanding = Integer.parseInt(args[6]);
    Kpl driver = new Kpl(URI.create(args[1]), bytes, mostOutstanding);
    driver.put(warmUp, perSecond);
    driver.drain();
    System.out.println("begin");
    if (System.in.read() < 0) return;
    driver.put(records, perSecond);
    driver.drain();
    System.out.println("end " + driver.failed.get());
    while (System.in.read() >= 0) {}
    driver.producer.destroy();
    System.exit(0);
  }

  private void put(long records, long perSecond) throws InterruptedException {
    long startedNs = System.nanoTime();
    for (long i = 0; i < records; i++) {
      if (perSecond > 0) {
        long dueNs = startedNs + i * 1_000_000_000L / perSecond;
        long restNs = dueNs - System.nanoTime();
        if (restNs > 1_000_000) TimeUnit.NANOSECONDS.sleep(restNs);
      }
      room.acquire();
      outstanding.incrementAndGet();
      byte[] data = payload.clone();
      Instant now = Instant.now();
      ByteBuffer.wrap(data).putLong(now.getEpochSecond() * 1_000_000 + now.getNano() / 1_000);
      Futures.addCallback(
          producer.addUserRecord("bench", "key-" + i % KEYS, ByteBuffer.wrap(data)),
          new FutureCallback<UserRecordResult>() {
            @Override
            public void onSuccess(UserRecordResult result) {
              done();
            }

            @Override
            public void onFailure(Throwable error) {
              failed.incrementAndGet();
              done();
            }
          },
          MoreExecutors.directExecutor());
    }
  }

  private void done() {
    outstanding.decrementAndGet();
    room.release();
  }

  private void drain() throws InterruptedException {
    producer.flush();
    while (outstanding.get() > 0) Thread.sleep(1);
  }
}
