package peer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.confluent.parallelconsumer.ParallelConsumerOptions;
import io.confluent.parallelconsumer.ParallelConsumerOptions.CommitMode;
import io.confluent.parallelconsumer.ParallelConsumerOptions.ProcessingOrder;
import io.confluent.parallelconsumer.vertx.VertxParallelEoSStreamProcessor;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.buffer.Buffer;
import io.vertx.ext.web.client.HttpRequest;
import io.vertx.ext.web.client.WebClient;
import io.vertx.ext.web.client.WebClientOptions;
import io.vertx.ext.web.client.predicate.ResponsePredicate;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** The connector's job with Confluent's Parallel Consumer and Vert.x: Avro in, JSON out, one post a record, by key. */
public final class Main {
    private static final int SINGLE_OBJECT_FRAME = 10;
    private static final String AUTHORIZATION = "Basic YmVuY2g6YmVuY2g=";

    private Main() {}

    public static void main(String[] arguments) throws IOException {
        URI sink = URI.create(System.getenv("SINK"));
        int inFlight = Integer.parseInt(System.getenv("IN_FLIGHT"));
        Schema schema = new Schema.Parser().parse(new File(System.getenv("SCHEMA")));
        Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1).setPreferNativeTransport(true));
        WebClient client = WebClient.create(vertx, new WebClientOptions()
                .setDefaultHost(sink.getHost())
                .setDefaultPort(sink.getPort())
                .setMaxPoolSize(inFlight)
                .setKeepAlive(true)
                .setKeepAliveTimeout(3600)
                .setPipelining(false)
                .setMaxWaitQueueSize(-1)
                .setTcpNoDelay(true)
                .setConnectTimeout(5000)
                .setUserAgentEnabled(false)
                .setFollowRedirects(false));
        VertxParallelEoSStreamProcessor<byte[], byte[]> processor = new VertxParallelEoSStreamProcessor<>(
                vertx, client, ParallelConsumerOptions.<byte[], byte[]>builder()
                        .consumer(consumer())
                        .ordering(ProcessingOrder.KEY)
                        .commitMode(CommitMode.PERIODIC_CONSUMER_ASYNCHRONOUS)
                        .maxConcurrency(inFlight)
                        .defaultMessageRetryDelay(Duration.ofSeconds(1))
                        .build());
        processor.subscribe(List.of(System.getenv("TOPIC")));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> processor.closeDontDrainFirst(Duration.ofSeconds(8))));
        ThreadLocal<Transcoder> transcoders = ThreadLocal.withInitial(() -> new Transcoder(schema));
        Map<String, HttpRequest<Buffer>> posts = new ConcurrentHashMap<>();
        processor.vertxHttpWebClient((web, context) -> {
            Call call = transcoders.get().callOf(context.getSingleConsumerRecord().value());
            return posts.computeIfAbsent(call.serviceId(), id -> web.post("/service/v1/invokeService/" + id)
                            .putHeader("content-type", "application/json")
                            .putHeader("authorization", AUTHORIZATION)
                            .timeout(30_000)
                            .expect(ResponsePredicate.SC_SUCCESS))
                    .sendBuffer(call.body());
        }, sent -> { });
    }

    private static KafkaConsumer<byte[], byte[]> consumer() {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", System.getenv("BOOTSTRAP_SERVERS"));
        properties.put("group.id", System.getenv("GROUP"));
        properties.put("enable.auto.commit", "false");
        properties.put("auto.offset.reset", "earliest");
        properties.put("max.poll.records", "2000");
        properties.put("key.deserializer", ByteArrayDeserializer.class);
        properties.put("value.deserializer", ByteArrayDeserializer.class);
        return new KafkaConsumer<>(properties);
    }

    private record Call(String serviceId, Buffer body) {}

    /** Everything that can be used again is; one for each thread. */
    private static final class Transcoder {
        private final GenericDatumReader<GenericRecord> reader;
        private final JsonFactory json = new JsonFactory();
        private final ByteArrayOutputStream body = new ByteArrayOutputStream(1024);
        private BinaryDecoder decoder;
        private GenericRecord event;

        private Transcoder(Schema schema) {
            reader = new GenericDatumReader<>(schema);
        }

        private Call callOf(byte[] value) {
            body.reset();
            try {
                int size = value.length - SINGLE_OBJECT_FRAME;
                decoder = DecoderFactory.get().binaryDecoder(value, SINGLE_OBJECT_FRAME, size, decoder);
                event = reader.read(event, decoder);
                write();
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
            return new Call(event.get("serviceId").toString(), Buffer.buffer(body.toByteArray()));
        }

        private void write() throws IOException {
            try (JsonGenerator out = json.createGenerator(body)) {
                out.writeStartObject();
                out.writeObjectFieldStart("endUser");
                out.writeStringField("phoneNumber", event.get("phoneNumber").toString());
                out.writeNumberField("mobileOperatorId", ((Number) event.get("mobileOperatorId")).longValue());
                out.writeEndObject();
                out.writeObjectFieldStart("variables");
                for (Map.Entry<?, ?> scope : ((Map<?, ?>) event.get("variables")).entrySet()) {
                    out.writeObjectFieldStart(scope.getKey().toString());
                    for (Map.Entry<?, ?> variable : ((Map<?, ?>) scope.getValue()).entrySet()) {
                        out.writeStringField(variable.getKey().toString(), variable.getValue().toString());
                    }
                    out.writeEndObject();
                }
                out.writeEndObject();
                out.writeEndObject();
            }
        }
    }
}
