package io.lorica.serve.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.model.Generation;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Remembers everything. */
class Heard implements Listener {
    final List<Piece> pieces = new ArrayList<>();
    final CompletableFuture<End> end = new CompletableFuture<>();
    final CompletableFuture<Piece> first = new CompletableFuture<>();

    @Override
    public void onPiece(Piece piece) {
        pieces.add(piece);
        first.complete(piece);
    }

    @Override
    public void onEnd(End how) {
        end.complete(how);
    }

    Generation answer() {
        End how = end.orTimeout(60, TimeUnit.SECONDS).join();
        assertThat(how).isInstanceOf(End.Finished.class);
        return ((End.Finished) how).answer();
    }

    String text() {
        StringBuilder text = new StringBuilder();
        pieces.forEach(piece -> text.append(piece.text()));
        return text.toString();
    }
}
