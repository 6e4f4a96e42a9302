package io.lorica.serve.parallel;

import io.lorica.model.Pass;
import java.util.List;

/** Which rows of a pass belong to which adapters, as every rank knows it; rows without adapters are left out. */
record ShardRows(List<Range> ranges) implements Pass.Facts {

    /** {@code count} rows from {@code from}. */
    record Range(int from, int count, List<Acting> acting) {}

    /** A rank's part of an adapter with its weight in the blend. */
    record Acting(AdapterShard adapter, double weight) {}

    ShardRows {
        ranges = List.copyOf(ranges);
    }
}
