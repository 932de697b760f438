// What boards/virtual_chip.py adds to the C++ that Verilator makes of a board's top level, as plain C functions: the clock, a
// serial line in both directions, and noise on it. A bit of the line lasts exactly as many clocks as the gateware's divisor.
// No exception leaves a function: what fails returns nonzero or a null pointer, and virtual_error says why.

#include "model.h"

#include <deque>
#include <vector>

namespace {

constexpr int BITS = 10;                                           // start, eight data bits, stop

struct Chip {
    std::unique_ptr<VerilatedContext> context{new VerilatedContext};
    std::unique_ptr<Vcore> top;
    std::string error;
    const unsigned divisor;
    uint64_t clock = 0, flipped = 0;
    uint32_t noise = 0;                                            // chance of 2**32 that a bit is flipped
    Random random;

    std::deque<uint8_t> sending;                                   // to the chip
    unsigned send_bits = 0, send_timer = 0, send_shift = 0;
    std::vector<uint8_t> received;                                 // from the chip
    unsigned receive_bits = 0, receive_timer = 0, receive_shift = 0;
    bool before = true;

    explicit Chip(unsigned divisor) : divisor(divisor) {
        enter();
        top.reset(new Vcore{context.get(), "TOP"});
        top->clk = 0;
        top->rst = 1;
        top->rx = 1;
        for (int count = 0; count < 4; ++count) tick();
        top->rst = 0;
    }
    ~Chip() {
        enter();
        top->final();
        top.reset();
    }

    void enter() { Verilated::threadContextp(context.get()); }

    void tick() {
        top->clk = 0;
        top->eval();
        top->clk = 1;
        top->eval();
        ++clock;
    }

    bool flips() {
        const bool flip = noise && random.next() < noise;
        flipped += flip;
        return flip;
    }

    void send() {                                                  // the level of rx in this clock
        if (send_timer) {
            --send_timer;
            return;
        }
        if (!send_bits && !sending.empty()) {
            send_shift = sending.front() << 1 | 1u << (BITS - 1);
            send_bits = BITS;
            sending.pop_front();
        }
        if (!send_bits) {
            top->rx = 1;
            return;
        }
        top->rx = (send_shift & 1) ^ flips();
        send_shift >>= 1;
        --send_bits;
        send_timer = divisor - 1;
    }

    void receive() {                                               // tx as it was in this clock, sampled amid each bit
        const bool level = top->tx;
        if (!receive_bits) {
            if (before && !level) receive_bits = BITS, receive_timer = divisor / 2 - 1;
        } else if (!receive_timer) {
            const bool bit = level ^ flips();
            receive_timer = divisor - 1;
            if (receive_bits == BITS && bit) {
                receive_bits = 0;                                  // no start bit after all
            } else {
                if (receive_bits > 1) receive_shift = receive_shift >> 1 | bit << 7;
                if (--receive_bits == 0) received.push_back(receive_shift);
            }
        } else {
            --receive_timer;
        }
        before = level;
    }

    void run(uint64_t clocks) {
        enter();
        for (; clocks; --clocks) {
            send();
            tick();
            receive();
        }
    }
};

thread_local std::string failure;                                  // of a constructor, which has no Chip to keep it

}  // namespace

API Chip* virtual_new(unsigned divisor) {
    try {
        return new Chip(divisor);
    } catch (const std::exception& problem) {
        failure = problem.what();
        return nullptr;
    }
}
API void virtual_delete(Chip* chip) { delete chip; }
API const char* virtual_error(Chip* chip) { return chip ? chip->error.c_str() : failure.c_str(); }
API uint64_t virtual_clock(Chip* chip) { return chip->clock; }
API uint64_t virtual_flipped(Chip* chip) { return chip->flipped; }
API uint64_t virtual_waiting(Chip* chip) { return chip->sending.size() + (chip->send_bits > 0); }
API void virtual_noise(Chip* chip, uint32_t chance, uint64_t seed) { chip->noise = chance, chip->random.seed(seed); }
API void virtual_send(Chip* chip, const uint8_t* data, uint64_t count) {
    chip->sending.insert(chip->sending.end(), data, data + count);
}
API int virtual_run(Chip* chip, uint64_t clocks) {
    try {
        chip->run(clocks);
        return 0;
    } catch (const std::exception& problem) {
        chip->error = problem.what();
        return 1;
    }
}
// The bytes received so far, which are forgotten with the next call.
API const uint8_t* virtual_received(Chip* chip, uint64_t* count) {
    static thread_local std::vector<uint8_t> taken;
    taken.swap(chip->received);
    chip->received.clear();
    *count = taken.size();
    return taken.data();
}
