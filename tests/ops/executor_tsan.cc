// Drives plan/executor.cc under ThreadSanitizer (test_thread_sanitizer.py compiles the two together).
//
// Tables of many phases with few and many parts, from several threads at once and from children of
// fork, with more threads than cores, and with parts that take long enough for others to sleep.
// Every phase reads what the phase before wrote at another part's place, without atomics: a phase
// that starts too early is a data race, and a wrong sum.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

struct Call {
    void (*run)(const void* args, int64_t part, int64_t parts, char* scratch);
    const void* args;
};
struct Phase {
    int64_t first, count, parts;
};
extern "C" int64_t beak_run(const Call*, const Phase*, int64_t phases, int64_t threads, int64_t scratch_bytes,
                            double* seconds = nullptr);

namespace {

constexpr int64_t COUNT = 60, SCRATCH = 1000;

struct Shift {
    const int64_t* from;
    int64_t* to;
    int64_t pause;    // microseconds that the first part takes longer than the others
};

// to[i] = from[i + 1] + 1, by way of scratch.
void shift(const void* args, int64_t part, int64_t parts, char* scratch) {
    const Shift& s = *static_cast<const Shift*>(args);
    if (s.pause && part == 0) std::this_thread::sleep_for(std::chrono::microseconds(s.pause));
    int64_t* kept = reinterpret_cast<int64_t*>(scratch);
    const int64_t begin = COUNT * part / parts, end = COUNT * (part + 1) / parts;
    for (int64_t i = begin; i < end; i++) kept[i] = s.from[(i + 1) % COUNT] + 1;
    for (int64_t i = begin; i < end; i++) s.to[i] = kept[i];
}

void check(bool right, const char* what) {
    if (right) return;
    fprintf(stderr, "wrong: %s\n", what);
    _exit(3);
}

// One run of many phases, each with another number of parts.
void drive(int64_t phases, int64_t threads, int64_t pause) {
    std::vector<int64_t> even(COUNT), odd(COUNT);
    for (int64_t i = 0; i < COUNT; i++) even[i] = i;
    std::vector<Shift> args;
    std::vector<Call> calls;
    std::vector<Phase> table;
    for (int64_t p = 0; p < phases; p++)
        args.push_back({p % 2 ? odd.data() : even.data(), p % 2 ? even.data() : odd.data(), p % 7 ? 0 : pause});
    for (int64_t p = 0; p < phases; p++) {
        calls.push_back({shift, &args[p]});
        table.push_back({p, 1, 1 + p * 5 % 11});
    }
    check(beak_run(calls.data(), table.data(), phases, threads, SCRATCH) == 0, "status");
    const std::vector<int64_t>& last = phases % 2 ? odd : even;
    for (int64_t i = 0; i < COUNT; i++) check(last[i] == (i + phases) % COUNT + phases, "sum");
}

void several_threads(int64_t callers, int64_t runs) {
    std::vector<std::thread> threads;
    for (int64_t c = 0; c < callers; c++)
        threads.emplace_back([=] {
            for (int64_t r = 0; r < runs; r++) drive(40 + r, 1 + (c + r) % 5, r % 10 ? 0 : 300);
        });
    for (std::thread& thread : threads) thread.join();
}

void child_of_fork() {
    const pid_t child = fork();
    if (child == 0) {
        alarm(60);
        for (int i = 0; i < 5; i++) drive(50, 3, 0);
        _exit(0);
    }
    int status = 0;
    check(waitpid(child, &status, 0) == child && status == 0, "a forked child");
}

}    // namespace

// A table that no one may write: the parts of one phase read what the others write.
void drive_wrongly() {
    std::vector<int64_t> same(COUNT);
    const Shift args{same.data(), same.data(), 20000};
    const Call call{shift, &args};
    const Phase phase{0, 1, 12};
    beak_run(&call, &phase, 1, 2, SCRATCH);
}

int main(int words, char**) {
    alarm(400);
    if (words > 1) return drive_wrongly(), 0;    // to see that a race is reported
    drive(0, 3, 0);
    for (int64_t threads : {1, 2, 3, 9, 2})
        for (int i = 0; i < 50; i++) drive(200, threads, 0);
    drive(60, 3, 1500);
    several_threads(4, 300);
    child_of_fork();
    std::thread caller([] { several_threads(1, 30); });    // a fork while another thread's run is on
    child_of_fork();
    caller.join();
    several_threads(3, 20);
    check(beak_run(nullptr, nullptr, 0, 2, INT64_MAX / 2) != 0, "memory that cannot be had");
    puts("all runs ended as they should");
}
