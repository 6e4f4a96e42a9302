package io.lorica.tensor;

import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.util.List;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/** Java arrays to tensors and back. Every tensor returned here belongs to the caller's innermost {@link Scope}. */
public final class Tensors {
    private Tensors() {}

    /** A float32 tensor that owns a copy of {@code values}, row-major. */
    public static Tensor of(float[] values, long... shape) {
        Tensor tensor = empty(DType.F32, shape);
        requireCount(values.length, tensor);
        new FloatPointer(tensor.data_ptr()).put(values, 0, values.length);
        return tensor;
    }

    /** A float64 tensor that owns a copy of {@code values}, row-major. */
    public static Tensor of(double[] values, long... shape) {
        Tensor tensor = empty(DType.F64, shape);
        requireCount(values.length, tensor);
        new DoublePointer(tensor.data_ptr()).put(values, 0, values.length);
        return tensor;
    }

    /** An int64 tensor that owns a copy of {@code values}, row-major. */
    public static Tensor of(long[] values, long... shape) {
        Tensor tensor = empty(DType.I64, shape);
        requireCount(values.length, tensor);
        new LongPointer(tensor.data_ptr()).put(values, 0, values.length);
        return tensor;
    }

    /** A 1-D int64 tensor. */
    public static Tensor of(long[] values) {
        return of(values, values.length);
    }

    public static Tensor empty(DType type, long... shape) {
        try (TensorOptions options = options(type)) {
            return torch.empty(shape, options, null);
        }
    }

    public static Tensor zeros(DType type, long... shape) {
        try (TensorOptions options = options(type)) {
            return torch.zeros(shape, options);
        }
    }

    public static Tensor ones(DType type, long... shape) {
        try (TensorOptions options = options(type)) {
            return torch.ones(shape, options);
        }
    }

    public static TensorOptions options(DType type) {
        return new TensorOptions(type.scalarType());
    }

    /** {@code tensor} itself when it already has that type, else a converted copy. */
    public static Tensor to(Tensor tensor, DType type) {
        return tensor.scalar_type().intern() == type.scalarType() ? tensor : tensor.to(type.scalarType());
    }

    /** The elements as float32, row-major, whatever the tensor's type and layout. */
    public static float[] floats(Tensor tensor) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor flat = to(tensor.detach().cpu(), DType.F32).contiguous();
            float[] values = new float[Math.toIntExact(flat.numel())];
            FloatBuffer buffer =
                    new FloatPointer(flat.data_ptr()).capacity(values.length).asBuffer();
            buffer.get(values);
            return values;
        }
    }

    /** Copies the first rows of a matrix as float32, whatever its type and layout, into arrays of a row's width. */
    public static void copyRows(Tensor matrix, List<float[]> rows) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor flat = to(matrix.detach().cpu(), DType.F32).contiguous();
            FloatBuffer buffer =
                    new FloatPointer(flat.data_ptr()).capacity(flat.numel()).asBuffer();
            rows.forEach(buffer::get);
        }
    }

    /** The elements as int64, row-major. */
    public static long[] longs(Tensor tensor) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            Tensor flat = to(tensor.detach().cpu(), DType.I64).contiguous();
            long[] values = new long[Math.toIntExact(flat.numel())];
            LongBuffer buffer =
                    new LongPointer(flat.data_ptr()).capacity(values.length).asBuffer();
            buffer.get(values);
            return values;
        }
    }

    public static long[] shape(Tensor tensor) {
        long[] shape = new long[(int) tensor.dim()];
        for (int i = 0; i < shape.length; i++) {
            shape[i] = tensor.size(i);
        }
        return shape;
    }

    /** Bytes of the elements, not counting the handle. */
    public static long bytes(Tensor tensor) {
        return tensor.numel() * tensor.element_size();
    }

    /** The largest absolute difference of two tensors of the same shape, computed in float32. */
    public static double maxDifference(Tensor left, Tensor right) {
        try (Scope _ = Scope.open();
                Grad _ = Grad.disabled()) {
            if (left.numel() == 0) {
                return 0;
            }
            return to(left, DType.F32).sub(to(right, DType.F32)).abs().max().item_double();
        }
    }

    private static void requireCount(int count, Tensor tensor) {
        if (count != tensor.numel()) {
            throw new LoricaException.Internal(
                    count + " values do not fill a tensor of " + tensor.numel() + " elements");
        }
    }
}
