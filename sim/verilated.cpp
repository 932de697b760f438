// What sim/rtl_model.py adds to the C++ that Verilator makes of a core, as plain C functions: the clock, frames in bulk
// with stalls on either side, probes of public signals, a trace. One Core is one instance; instances share nothing.
//
// A clock cycle is: inputs change while clk is 0, everything settles, handshakes and probes are sampled, clk rises.
// No exception leaves a function: what fails returns FAILED or a null pointer, and wuxing_error says why.

#include "model.h"
#if VM_TRACE
#include "verilated_fst_c.h"
#endif

#include <cstring>
#include <vector>

namespace {

enum Outcome { DONE, PAUSED, STUCK, FAILED };

struct Signal {
    const void* data;
    unsigned bytes;      // of one word in memory
    unsigned bits;       // of one word
    unsigned words;      // 1, or the words of a memory

    unsigned columns() const { return (bits + 63) / 64; }
    void read(unsigned word, uint64_t* to) const {
        const char* from = static_cast<const char*>(data) + size_t(bytes) * word;
        std::memset(to, 0, columns() * 8);
        std::memcpy(to, from, bytes);                              // little endian: least bits first
    }
};

struct Group {
    const Signal* strobe;                                          // null: every clock
    std::vector<const Signal*> signals;
    unsigned row = 1;                                              // 64-bit columns: the clock, then the signals
    std::vector<uint64_t> rows;
};

struct Core {
    std::unique_ptr<VerilatedContext> context{new VerilatedContext};
    std::unique_ptr<Vcore> top;
#if VM_TRACE
    std::unique_ptr<VerilatedFstC> trace;
#endif
    std::string error;
    uint64_t clock = 0;                                            // since the instance was made

    std::vector<uint32_t> words;                                   // requests: all words, and where each frame ends
    std::vector<uint64_t> ends;
    size_t at = 0, frame = 0;
    bool offering = false, frame_open = false;
    uint64_t replies_wanted = 0;

    std::vector<uint32_t> replies;                                 // replies, in the same form
    std::vector<uint64_t> reply_ends;
    std::vector<uint64_t> started, sent, answered;                 // clocks of a frame's first and last word, and its reply's last
    bool waiting = false, waiting_last = false;                    // a reply word was shown and not taken
    uint32_t waiting_data = 0;

    unsigned idle = 0, stall = 0;                                  // chances of 256 for each clock
    Random requests_random, replies_random;
    uint64_t patience = 0, quiet = 0;

    std::vector<std::unique_ptr<Signal>> signals;
    std::vector<Group> groups;

    Core() {
        context->traceEverOn(VM_TRACE);
        top.reset(new Vcore{context.get(), "TOP"});
        top->clk = top->rst = 0;
        inputs(false, 0, false, false);
        top->eval();
    }
    ~Core() {
        enter();
        stop_trace();
        top->final();
        top.reset();
    }

    // Verilator's runtime looks up the context of the thread, which is that of the instance used last: even a freed one.
    void enter() { Verilated::threadContextp(context.get()); }

    void stop_trace() {
#if VM_TRACE
        if (trace) trace->close();
        trace.reset();
#endif
    }

    void inputs(bool valid, uint32_t data, bool last, bool ready) {
        top->s_axis_tvalid = valid;
        top->s_axis_tdata = data;
        top->s_axis_tlast = last;
        top->m_axis_tready = ready;
    }

    void settle() {
        top->clk = 0;
        top->eval();
#if VM_TRACE
        if (trace) trace->dump(2 * clock);
#endif
        for (Group& group : groups) {
            uint64_t strobe = 1;
            if (group.strobe) group.strobe->read(0, &strobe);
            if (!strobe) continue;
            size_t end = group.rows.size();
            group.rows.resize(end + group.row);
            uint64_t* to = group.rows.data() + end;
            *to++ = clock;
            for (const Signal* signal : group.signals) {
                signal->read(0, to);
                to += signal->columns();
            }
        }
    }

    void tick() {
        top->clk = 1;
        top->eval();
#if VM_TRACE
        if (trace) trace->dump(2 * clock + 1);
#endif
        ++clock;
    }

    void reset(uint64_t clocks) {
        inputs(false, 0, false, false);
        waiting = false;
        top->rst = 1;
        for (; clocks; --clocks) settle(), tick();
        top->rst = 0;
    }

    Outcome run(uint64_t clocks) {
        for (; clocks; --clocks) {
            if (at == words.size() && reply_ends.size() >= replies_wanted) return DONE;
            if (quiet >= patience) return STUCK;
            if (!offering && at < words.size()) offering = !idle || !requests_random.chance(idle);
            const bool last = offering && at + 1 == ends[frame];
            if (offering) {
                inputs(true, words[at], last, false);
            } else {                                               // what is not valid may be anything
                const uint32_t noise = idle ? requests_random.next() : 0;
                inputs(false, noise, noise & 1, false);
            }
            top->m_axis_tready = !stall || !replies_random.chance(stall);
            settle();
            const bool taken = offering && top->s_axis_tready;
            const bool valid = top->m_axis_tvalid, reply_last = top->m_axis_tlast, given = valid && top->m_axis_tready;
            const uint32_t data = top->m_axis_tdata;
            if (waiting && !(valid && data == waiting_data && reply_last == waiting_last))
                throw std::runtime_error("m_axis must hold its word until it is taken, but it changed at clock "
                                         + std::to_string(clock));
            waiting = valid && !given, waiting_data = data, waiting_last = reply_last;
            ++quiet;
            if (taken) {
                quiet = 0;
                offering = false;
                ++at;
                if (!frame_open) started.push_back(clock);
                frame_open = !last;
                if (last) sent.push_back(clock), ++frame;
            }
            if (given) {
                quiet = 0;
                replies.push_back(data);
                if (reply_last) reply_ends.push_back(replies.size()), answered.push_back(clock);
            }
            tick();
        }
        return at == words.size() && reply_ends.size() >= replies_wanted ? DONE : PAUSED;
    }

    const Signal* find(const std::string& scope_name, const std::string& name) {
        const VerilatedScope* scope = context->scopeFind(scope_name.c_str());
        if (!scope) scope = context->scopeFind(("TOP." + scope_name).c_str());
        const VerilatedVar* variable = scope ? scope->varFind(name.c_str()) : nullptr;
        if (!variable || variable->udims() > 1) return nullptr;
        const unsigned bits = variable->entBits(), words = variable->udims() ? variable->unpackedRanges()[0].elements() : 1;
        const unsigned bytes = bits <= 8 ? 1 : bits <= 16 ? 2 : bits <= 32 ? 4 : bits <= 64 ? 8 : (bits + 31) / 32 * 4;
        signals.emplace_back(new Signal{variable->datap(), bytes, bits, words});
        return signals.back().get();
    }
};

thread_local std::string failure;                                  // of a constructor, which has no Core to keep it

template <typename Body> int guarded(Core* core, Body body) {
    core->enter();
    try {
        return body();
    } catch (const std::exception& problem) {
        core->error = problem.what();
        return FAILED;
    }
}

}  // namespace

API Core* wuxing_new() {
    try {
        return new Core;
    } catch (const std::exception& problem) {
        failure = problem.what();
        return nullptr;
    }
}
API void wuxing_delete(Core* core) { delete core; }
API const char* wuxing_error(Core* core) { return core ? core->error.c_str() : failure.c_str(); }
API uint64_t wuxing_clock(Core* core) { return core->clock; }
API int wuxing_reset(Core* core, uint64_t clocks) {
    return guarded(core, [&] { return core->reset(clocks), DONE; });
}

// Requests for the runs that follow; replies and clocks of earlier ones are dropped. Random numbers start from the seed.
API void wuxing_request(Core* core, const uint32_t* words, const uint64_t* ends, uint64_t frames, uint64_t replies_wanted,
                        unsigned idle, unsigned stall, uint64_t seed, uint64_t patience) {
    core->words.assign(words, words + (frames ? ends[frames - 1] : 0));
    core->ends.assign(ends, ends + frames);
    core->at = core->frame = 0;
    core->offering = core->frame_open = false;
    core->replies_wanted = replies_wanted;
    for (auto* list : {&core->reply_ends, &core->started, &core->sent, &core->answered}) list->clear();
    core->replies.clear();
    core->idle = idle, core->stall = stall;
    core->requests_random.seed(2 * seed), core->replies_random.seed(2 * seed + 1);
    core->patience = patience, core->quiet = 0;
}
API int wuxing_run(Core* core, uint64_t clocks) {
    return guarded(core, [&] { return core->run(clocks); });
}
API const uint32_t* wuxing_replies(Core* core, uint64_t* count) {
    *count = core->replies.size();
    return core->replies.data();
}
API const uint64_t* wuxing_list(Core* core, int which, uint64_t* count) {
    const std::vector<uint64_t>* lists[] = {&core->reply_ends, &core->started, &core->sent, &core->answered};
    *count = lists[which]->size();
    return lists[which]->data();
}

API const Signal* wuxing_find(Core* core, const char* scope, const char* name) {
    core->enter();
    return core->find(scope, name);
}
API unsigned wuxing_bits(const Signal* signal) { return signal->bits; }
API unsigned wuxing_words(const Signal* signal) { return signal->words; }
API void wuxing_read(const Signal* signal, uint64_t* to) {
    for (unsigned k = 0; k < signal->words; ++k) signal->read(k, to + k * signal->columns());
}
API void wuxing_watch(Core* core, const Signal* strobe, const Signal** signals, unsigned count) {
    Group group;
    group.strobe = strobe;
    group.signals.assign(signals, signals + count);
    for (const Signal* signal : group.signals) group.row += signal->columns();
    core->groups.push_back(std::move(group));
}
API const uint64_t* wuxing_samples(Core* core, unsigned group, uint64_t* count) {
    *count = core->groups[group].rows.size();
    return core->groups[group].rows.data();
}
API void wuxing_forget(Core* core, unsigned group) {
    core->groups[group].rows.clear();
    core->groups[group].rows.shrink_to_fit();
}

#if VM_TRACE
API int wuxing_trace(Core* core, const char* path) {               // null: stop
    return guarded(core, [&] {
        core->stop_trace();
        if (!path) return DONE;
        core->trace.reset(new VerilatedFstC);
        core->top->trace(core->trace.get(), 99);
        core->trace->open(path);
        return DONE;
    });
}
#endif
