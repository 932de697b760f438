// What every wrapper of a compiled model needs: errors as exceptions, random numbers, functions that a library shows.

#pragma once

#include "Vcore.h"
#include "verilated.h"
#include "verilated_syms.h"

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#define API extern "C" __attribute__((visibility("default")))

// Verilator's own versions print and end the process.
void vl_fatal(const char* file, int line, const char*, const char* message) {
    throw std::runtime_error(std::string(file) + ":" + std::to_string(line) + ": " + message);
}
void vl_stop(const char* file, int line, const char* hierarchy) { vl_fatal(file, line, hierarchy, "$stop"); }
void vl_warn(const char* file, int line, const char* hierarchy, const char* message) {
    vl_fatal(file, line, hierarchy, message);
}
void vl_finish(const char* file, int line, const char* hierarchy) { vl_fatal(file, line, hierarchy, "$finish"); }

namespace {

class Random {                                                     // xorshift: a linear feedback shift register of 64 bits
    uint64_t state = 1;

public:
    void seed(uint64_t value) { state = (value * 0x9E3779B97F4A7C15u) | 1; }
    uint32_t next() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state >> 32;
    }
    bool chance(unsigned of256) { return (next() >> 24) < of256; }
};

}  // namespace
