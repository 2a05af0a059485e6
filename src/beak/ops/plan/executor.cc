// Runs a table of kernel calls on a pool of threads, in one call from outside.
//
// The table is a list of phases; a phase is a run of consecutive calls and a number of parts. A
// thread that takes part p of a phase makes all calls of the phase for that part, in order. Parts
// of one phase run in any order on any thread; a phase starts when the one before it has ended.
// Results cannot depend on the number of threads, because the table fixes how work is split.
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
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

// Memory of one thread, kept between runs. 64-byte aligned.
struct Scratch {
    char* memory = nullptr;
    char* start = nullptr;
    size_t size = 0;
    ~Scratch() { std::free(memory); }
    char* get(size_t wanted) {
        if (wanted > size) {
            std::free(memory);
            memory = static_cast<char*>(std::malloc(wanted + 64));
            size = memory ? wanted : 0;
            start = memory + (64 - reinterpret_cast<uintptr_t>(memory) % 64) % 64;
        }
        return memory || !wanted ? start : nullptr;
    }
};
thread_local Scratch own_scratch;

struct alignas(64) Progress {
    std::atomic<int64_t> taken{0};
    std::atomic<int64_t> done{0};
};

struct Run {
    const Call* calls;
    const Phase* phases;
    int64_t phase_count;
    size_t scratch_bytes;
    std::unique_ptr<Progress[]> progress;
    std::atomic<bool> out_of_memory{false};
    double* seconds = nullptr;    // where wanted: how long each phase took, as the caller saw it

    // The caller's walk, which keeps the time.
    void lead() {
        if (seconds) began = std::chrono::steady_clock::now();
        walk(seconds);
    }
    std::chrono::steady_clock::time_point began;

    // Every thread of the run walks all phases: takes parts while there are any, then waits for
    // the others' parts. A thread that comes late passes quickly over what is already done.
    void walk(double* took = nullptr) {
        char* scratch = own_scratch.get(scratch_bytes);
        if (!scratch && scratch_bytes) out_of_memory = true;
        for (int64_t i = 0; i < phase_count; i++) {
            const Phase& phase = phases[i];
            Progress& p = progress[i];
            for (;;) {
                const int64_t part = p.taken.fetch_add(1, std::memory_order_relaxed);
                if (part >= phase.parts) break;
                if (!out_of_memory)
                    for (int64_t c = phase.first; c < phase.first + phase.count; c++)
                        calls[c].run(calls[c].args, part, phase.parts, scratch);
                p.done.fetch_add(1, std::memory_order_acq_rel);
            }
            for (int spins = 0; p.done.load(std::memory_order_acquire) < phase.parts; spins++) {
                if (spins < 4000)
                    breathe();
                else
                    std::this_thread::yield();
            }
            if (took) {
                const auto now = std::chrono::steady_clock::now();
                took[i] = std::chrono::duration<double>(now - began).count();
                began = now;
            }
        }
    }
};

// The pool: workers sleep until a run is posted. A run is posted to `wanted` workers at most.
class Pool {
    std::mutex mutex;
    std::condition_variable posted, left;
    Run* current = nullptr;
    uint64_t generation = 0;
    int64_t seats = 0;     // how many workers may still join the current run
    int64_t inside = 0;    // how many are in it
    std::vector<std::thread> workers;

    void work() {
        uint64_t seen = 0;
        std::unique_lock<std::mutex> lock(mutex);
        for (;;) {
            posted.wait(lock, [&] { return generation != seen; });
            seen = generation;
            if (!current || seats == 0) continue;
            seats--;
            inside++;
            Run* run = current;
            lock.unlock();
            run->walk();
            lock.lock();
            if (--inside == 0) left.notify_all();
        }
    }

  public:
    std::mutex one_run_at_a_time;

    void run(Run& run, int64_t helpers) {
        {
            std::lock_guard<std::mutex> lock(mutex);
            while (static_cast<int64_t>(workers.size()) < helpers) {
                try {
                    workers.emplace_back([this] { work(); });
                } catch (...) {
                    break;    // no more threads to be had: fewer do the work
                }
            }
            current = &run;
            seats = helpers;
            generation++;
        }
        if (helpers) posted.notify_all();
        run.lead();
        std::unique_lock<std::mutex> lock(mutex);
        current = nullptr;
        seats = 0;
        left.wait(lock, [&] { return inside == 0; });
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
        Run run{calls, phases, phase_count, static_cast<size_t>(scratch_bytes),
                std::unique_ptr<Progress[]>(new Progress[phase_count > 0 ? phase_count : 1])};
        run.seconds = seconds;
        if (threads <= 1) {
            run.lead();
        } else {
            std::unique_lock<std::mutex> turn(pool->one_run_at_a_time, std::try_to_lock);
            if (turn.owns_lock())
                pool->run(run, threads - 1);
            else
                run.lead();    // another thread's run has the pool: go alone rather than wait
        }
        return run.out_of_memory ? ENOMEM : 0;
    } catch (const std::bad_alloc&) {
        return ENOMEM;
    }
}
