package io.lorica.serve.parallel;

import io.lorica.adapter.RowRanges;
import io.lorica.model.Pass;
import java.util.List;

/** Which rows of a pass belong to which adapters, as every rank knows it. */
record ShardRows(RowRanges<List<Acting>> ranges) implements Pass.Facts {

    /** A rank's part of an adapter with its weight in the blend. */
    record Acting(AdapterShard adapter, double weight) {}
}
