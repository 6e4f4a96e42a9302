package io.lorica.serve.engine;

import io.lorica.tensor.LoricaException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/** Requests between those who submit them and the engine's thread; the only state that both touch. */
final class Queue {
    private final int capacity;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition arrived = lock.newCondition();
    private final Deque<Running> waiting = new ArrayDeque<>();
    private boolean closed;

    Queue(int capacity) {
        this.capacity = capacity;
    }

    void add(Running request) {
        lock.lock();
        try {
            if (closed) {
                throw new LoricaException.Busy("the engine is shutting down and takes no more requests");
            }
            if (waiting.size() >= capacity && stillWanted() >= capacity) {
                throw new LoricaException.Busy(
                        capacity + " requests are waiting already, which is the limit; try again later");
            }
            waiting.add(request);
            arrived.signal();
        } finally {
            lock.unlock();
        }
    }

    /** Those who gave up stay in line until the engine's next step, but take nobody's place. */
    private long stillWanted() {
        return waiting.stream().filter(request -> !request.cancelled()).count();
    }

    /** Puts somebody back in front who had left the line already. */
    void giveBack(Running request) {
        lock.lock();
        try {
            waiting.addFirst(request);
        } finally {
            lock.unlock();
        }
    }

    /** Takes no more; what waits already is still served. */
    void close() {
        lock.lock();
        try {
            closed = true;
            arrived.signal();
        } finally {
            lock.unlock();
        }
    }

    /** Blocks until somebody waits. False when it is closed and nobody does. */
    boolean await() {
        lock.lock();
        try {
            while (waiting.isEmpty() && !closed) {
                arrived.awaitUninterruptibly();
            }
            return !waiting.isEmpty();
        } finally {
            lock.unlock();
        }
    }

    /** Those who wait, in order. */
    List<Running> waiting() {
        lock.lock();
        try {
            return List.copyOf(waiting);
        } finally {
            lock.unlock();
        }
    }

    /** Takes one out. */
    void remove(Running request) {
        lock.lock();
        try {
            waiting.remove(request);
        } finally {
            lock.unlock();
        }
    }

    /** Takes out those who gave up, or waited longer to begin than they may. */
    List<Running> sweep(long patienceNanos) {
        lock.lock();
        try {
            List<Running> out = new ArrayList<>();
            waiting.removeIf(request -> {
                boolean late = patienceNanos > 0 && !request.begun() && request.waitedNanos() > patienceNanos;
                boolean leaves = request.cancelled() || late;
                return leaves && out.add(request);
            });
            return out;
        } finally {
            lock.unlock();
        }
    }

    int size() {
        lock.lock();
        try {
            return waiting.size();
        } finally {
            lock.unlock();
        }
    }
}
