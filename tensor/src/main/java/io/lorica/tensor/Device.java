package io.lorica.tensor;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.global.torch;

/**
 * Where tensors live and operators run. There is no fallback: a device that is not there is an error, not the CPU.
 *
 * @param kind CPU or CUDA
 * @param index which of several, 0 for the CPU
 */
public record Device(Kind kind, int index) {
    public static final Device CPU = new Device(Kind.CPU, 0);

    private static final Pattern CUDA = Pattern.compile("cuda(?::(\\d{1,3}))?");

    public enum Kind {
        CPU,
        CUDA
    }

    /**
     * Parses {@code cpu}, {@code cuda} (the first GPU) or {@code cuda:N}.
     *
     * @throws LoricaException.BadInput if it is none of these
     * @throws LoricaException.Unsupported if this build or this machine has no such GPU
     */
    public static Device parse(String name) {
        if (name.equals("cpu")) {
            return CPU;
        }
        Matcher matcher = CUDA.matcher(name);
        if (!matcher.matches()) {
            throw new LoricaException.BadInput("unknown device '" + name + "' (known: cpu, cuda, cuda:N)");
        }
        if (!torch.hasCUDA()) {
            throw new LoricaException.Unsupported("device '" + name
                    + "' was asked for, but this build of Lorica has no CUDA or finds no GPU;"
                    + " use cpu, or build with -Pgpu on a machine with an NVIDIA driver");
        }
        int index = matcher.group(1) == null ? 0 : Integer.parseInt(matcher.group(1));
        int count = torch.cuda_device_count();
        if (index >= count) {
            throw new LoricaException.Unsupported(
                    "device '" + name + "' was asked for, but this machine has " + count + " GPUs, numbered from 0");
        }
        return new Device(Kind.CUDA, index);
    }

    @Override
    public String toString() {
        return kind == Kind.CPU ? "cpu" : "cuda:" + index;
    }
}
