// How many multiply-adds a core can do: independent chains of them in registers, nothing else.
#include "native.h"

namespace {
constexpr int CHAINS = 12;    // enough to hide 5 cycles of latency on 2 units; fits 16 registers

inline void hide(vec& v) { asm volatile("" : "+m"(v)); }
}    // namespace

struct FmaArgs {
    float* sums;    // [parts][LANES at most 16], so that nothing is optimised away
    double* done;   // [parts] floating-point operations, a multiply-add counted as two
    int64_t rounds;
};

BEAK_KERNEL(fma_peak, FmaArgs) {
    const FmaArgs& a = *args;
    vec chains[CHAINS];
    UNROLL for (int i = 0; i < CHAINS; i++) chains[i] = broadcast(static_cast<float>(i));
    vec factor = broadcast(0.5f), step = broadcast(1.0f);    // x / 2 + 1 goes to 2: no denormals
    hide(factor);    // from the compiler, which else could do the sum beforehand
    hide(step);
    for (int64_t round = 0; round < a.rounds; round++)
        UNROLL for (int i = 0; i < CHAINS; i++) chains[i] = chains[i] * factor + step;
    vec sum{};
    UNROLL for (int i = 0; i < CHAINS; i++) sum += chains[i];
    (void)parts;
    store(a.sums + part * 16, sum);
    a.done[part] = 2.0 * CHAINS * LANES * static_cast<double>(a.rounds);
}
