package io.lorica.train;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.tensor.Threads;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A real process, killed without warning and started again, against one that was left alone. */
class KilledRunTest {
    private static final int STEPS = 30;
    private static final String SETTINGS = "{'max_steps': " + STEPS + ", 'save_steps': 3, 'learning_rate': 0.01,"
            + " 'warmup_steps': 4, 'per_device_train_batch_size': 3, 'gradient_accumulation_steps': 2}";
    private static final String ADAPTER = TinyRun.ALL_LINEAR.replace("'r'", "'lora_dropout': 0.1, 'r'");

    @TempDir
    Path directory;

    /** What the process does: {@code DIRECTORY RESUME MILLIS}, with a pause after each step so that it can be hit. */
    static final class Run {
        private Run() {}

        public static void main(String[] arguments) {
            Threads.set(1);
            Path out = Path.of(arguments[0]);
            long pause = Long.parseLong(arguments[2]);
            TrainListener slow = new TrainListener() {
                @Override
                public void step(Step step) {
                    try {
                        Thread.sleep(pause);
                    } catch (InterruptedException _) {
                        Thread.currentThread().interrupt();
                    }
                }
            };
            try (TinyRun run = TinyRun.open(io.lorica.tensor.DType.F32, ADAPTER)) {
                run.train(out, TinyRun.config(SETTINGS), Boolean.parseBoolean(arguments[1]), slow);
                run.trainee().save(out);
            }
        }
    }

    private Process start(Path out, boolean resume, long pause) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(argument -> argument.startsWith("-Dorg.bytedeco") || argument.startsWith("--"))
                .forEach(command::add);
        String path = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        command.addAll(List.of("-cp", path, Run.class.getName(), out.toString(), "" + resume, "" + pause));
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve(out.getFileName() + ".log").toFile())
                .start();
    }

    private void finish(Path out, boolean resume) throws Exception {
        Process process = start(out, resume, 0);
        assertThat(process.waitFor(120, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue())
                .as(() -> read(directory.resolve(out.getFileName() + ".log")))
                .isZero();
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }

    @Test
    void resume_afterKill_writesTheSameAdapterByteForByte() throws Exception {
        Path killed = directory.resolve("killed");
        Process process = start(killed, false, 150);
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(120);
        while (!Files.exists(killed.resolve("checkpoints/step-6")) && System.nanoTime() < deadline) {
            Thread.sleep(20);
        }
        process.destroyForcibly().waitFor();
        assertThat(killed.resolve("checkpoints/step-6")).exists();
        assertThat(killed.resolve("adapter_model.safetensors")).doesNotExist();

        finish(killed, true);
        Path whole = directory.resolve("whole");
        finish(whole, false);
        assertThat(killed.resolve("adapter_model.safetensors"))
                .hasSameBinaryContentAs(whole.resolve("adapter_model.safetensors"));
        assertThat(killed.resolve("checkpoints/step-30/tensors.safetensors"))
                .hasSameBinaryContentAs(whole.resolve("checkpoints/step-30/tensors.safetensors"));
    }
}
