// Runs a table of kernel calls on a pool of threads, in one call from outside.
//
// The table is a list of phases; a phase is a run of consecutive calls and a number of parts. A
// thread that takes part p of a phase makes all calls of the phase for that part, in order. Parts
// of one phase run in any order on any thread; a phase starts when the one before it has ended.
// Results cannot depend on the number of threads, because the table fixes how work is split.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <thread>
#include <vector>
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Under AddressSanitizer a stray behind what this very table asked for is to be seen.
#if defined(__SANITIZE_ADDRESS__)
#define BEAK_EXACT_SCRATCH true
#else
#define BEAK_EXACT_SCRATCH false
#endif

namespace {

typedef void (*Kernel)(const void* args, int64_t part, int64_t parts, char* scratch);
struct Call {
    Kernel run;
    const void* args;
};
struct Phase {
    int64_t first, count, parts;
};

inline void breathe() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// Waits actively for at most `microseconds` until `there()`; returns whether it is. Sleeping and
// waking costs more than the usual wait; but a core that others need is not kept for longer.
template <class Condition>
bool spin(int microseconds, Condition there) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(microseconds);
    do {
        for (int i = 0; i < 16; i++) {
            if (there()) return true;
            breathe();
        }
    } while (std::chrono::steady_clock::now() < end);
    return there();
}
constexpr int PHASE_SPIN = 100, IDLE_SPIN = 30;

// Memory of one thread, kept between runs. 64-byte aligned.
struct Scratch {
    static constexpr std::align_val_t ALIGNMENT{64};
    char* start = nullptr;
    size_t size = 0;
    ~Scratch() { operator delete(start, ALIGNMENT); }
    char* get(size_t wanted) {
        if (wanted > size || BEAK_EXACT_SCRATCH) {
            operator delete(start, ALIGNMENT);
            start = static_cast<char*>(operator new(wanted, ALIGNMENT, std::nothrow));
            size = start ? wanted : 0;
        }
        return start;
    }
};
thread_local Scratch own_scratch;

struct alignas(64) Progress {
    std::atomic<int64_t> taken{0};
    std::atomic<int64_t> done{0};
};

struct Run {
    const Call* const calls;
    const Phase* const phases;
    const int64_t phase_count;
    const size_t scratch_bytes;
    const std::unique_ptr<Progress[]> progress;
    std::atomic<int> sleepers{0};
    std::mutex mutex;
    std::condition_variable phase_ended;

    Run(const Call* calls, const Phase* phases, int64_t phase_count, size_t scratch_bytes)
        : calls(calls), phases(phases), phase_count(phase_count), scratch_bytes(scratch_bytes),
          progress(new Progress[static_cast<size_t>(phase_count)]) {}

    // Every thread of the run walks all phases: takes parts while there are any, then waits for
    // the others' parts. A thread that comes late passes quickly over what is already done.
    // Returns false, with nothing done, where there is no memory for this thread's scratch.
    // `seconds`: null, or room for how long each phase took, as this thread saw it.
    bool walk(double* seconds = nullptr) {
        auto began = std::chrono::steady_clock::now();
        char* scratch = own_scratch.get(scratch_bytes);
        if (!scratch && scratch_bytes) return false;
        for (int64_t i = 0; i < phase_count; i++) {
            const Phase& phase = phases[i];
            Progress& p = progress[i];
            int64_t mine = 0;
            while (p.taken.load(std::memory_order_relaxed) < phase.parts) {
                const int64_t part = p.taken.fetch_add(1, std::memory_order_relaxed);
                if (part >= phase.parts) break;
                for (int64_t c = phase.first; c < phase.first + phase.count; c++)
                    calls[c].run(calls[c].args, part, phase.parts, scratch);
                mine++;
            }
            if (mine && p.done.fetch_add(mine) + mine == phase.parts)
                wake_sleepers();
            else
                wait_for_end(phase, p);
            if (seconds) {
                const auto now = std::chrono::steady_clock::now();
                seconds[i] = std::chrono::duration<double>(now - began).count();
                began = now;
            }
        }
        return true;
    }

    // done and sleepers are each written, then the other read, in one total order: either the last
    // thread sees the sleeper, or the sleeper sees that the phase has ended.
    void wake_sleepers() {
        if (sleepers.load() == 0) return;
        std::lock_guard<std::mutex> lock(mutex);
        phase_ended.notify_all();
    }
    void wait_for_end(const Phase& phase, const Progress& p) {
        const auto ended = [&] { return p.done.load() >= phase.parts; };
        if (spin(PHASE_SPIN, ended)) return;
        std::unique_lock<std::mutex> lock(mutex);
        sleepers++;
        phase_ended.wait(lock, ended);
        sleepers--;
    }
};

// The pool: workers sleep until a run is posted. A run is posted to `wanted` workers at most; one
// whose core is busy elsewhere comes late or not at all, and the others do its parts.
class Pool {
    std::mutex mutex;
    std::condition_variable posted, left;
    std::atomic<uint64_t> generation{0};
    Run* current = nullptr;
    int64_t seats = 0;     // how many workers may still join the current run
    int64_t inside = 0;    // how many are in it
    std::vector<std::thread> workers;

    void work() {
        uint64_t seen = 0;
        std::unique_lock<std::mutex> lock(mutex);
        for (;;) {
            posted.wait(lock, [&] { return generation.load() != seen; });
            seen = generation.load();
            if (!current || seats == 0) continue;
            seats--;
            inside++;
            Run* run = current;
            lock.unlock();
            run->walk();
            lock.lock();
            if (--inside == 0) left.notify_all();
            lock.unlock();
            spin(IDLE_SPIN, [&] { return generation.load(std::memory_order_relaxed) != seen; });
            lock.lock();
        }
    }

  public:
    std::mutex one_run_at_a_time;

    // Returns false where the calling thread itself could not have scratch memory.
    bool run(Run& run, int64_t helpers, double* seconds) {
        {
            std::lock_guard<std::mutex> lock(mutex);
            while (static_cast<int64_t>(workers.size()) < helpers) {
                try {
                    workers.emplace_back([this] { work(); });
                } catch (...) {
                    break;    // no more threads to be had: fewer do the work
                }
            }
            helpers = std::min<int64_t>(helpers, workers.size());
            current = &run;
            seats = helpers;
            generation++;
        }
        for (int64_t i = 0; i < helpers; i++) posted.notify_one();
        const bool walked = run.walk(seconds);
        std::unique_lock<std::mutex> lock(mutex);
        current = nullptr;
        seats = 0;
        left.wait(lock, [&] { return inside == 0; });
        return walked;
    }
};

// Never destroyed: its workers end with the process. Replaced in a forked child, where the
// parent's workers do not exist.
Pool* pool = new Pool;

#if defined(__unix__) || defined(__APPLE__)
void start_anew_in_child() { pool = new Pool; }
const int registered = pthread_atfork(nullptr, nullptr, start_anew_in_child);
#endif

}    // namespace

#define BEAK_EXPORT extern "C" __attribute__((visibility("default")))

// Returns 0, or ENOMEM when scratch memory could not be had (then results are not to be used).
// `seconds`: null, or room for how long each phase took.
BEAK_EXPORT int64_t beak_run(const Call* calls, const Phase* phases, int64_t phase_count, int64_t threads,
                             int64_t scratch_bytes, double* seconds) {
    try {
        Run run(calls, phases, phase_count, static_cast<size_t>(scratch_bytes));
        if (threads <= 1) return run.walk(seconds) ? 0 : ENOMEM;
        std::unique_lock<std::mutex> turn(pool->one_run_at_a_time, std::try_to_lock);
        // While another thread's run has the pool: go alone rather than wait.
        const bool walked = turn.owns_lock() ? pool->run(run, threads - 1, seconds) : run.walk(seconds);
        return walked ? 0 : ENOMEM;
    } catch (const std::bad_alloc&) {
        return ENOMEM;
    }
}
