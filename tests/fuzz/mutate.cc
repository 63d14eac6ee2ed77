// Runs a fuzz target on its seeds and on a fixed sequence of mutations of them,
// the same each time, so that the normal suite covers what the fuzzers cover,
// if not as far. With a directory: writes the seeds there, for libFuzzer to
// start from.

#include "fuzz.hh"

#include <algorithm>
#include <fstream>
#include <vector>

namespace {

constexpr int mutations = 30'000;

class Mutator
{
public:
    std::string mutate(std::string text)
    {
        constexpr std::string_view bytes = "{}[]\",:\\/\r\n \t\0001e-.udata:\xff\x80";
        for (size_t changes = 1 + next(4); changes > 0; --changes) {
            const size_t at = text.empty() ? 0 : next(text.size());
            switch (next(5)) {
            case 0:
                text.insert(at, 1, bytes[next(bytes.size())]);
                break;
            case 1:
                text.erase(at, 1 + next(8));
                break;
            case 2:
                if (!text.empty()) {
                    text[at] = static_cast<char>(next(256));
                }
                break;
            case 3: {
                const std::string piece = text.substr(at, next(64));
                text.insert(text.empty() ? 0 : next(text.size()), piece);
                break;
            }
            default:
                text.resize(at);
            }
        }
        return text;
    }

    size_t next(size_t below)
    {
        random_ = random_ * 6364136223846793005u + 1442695040888963407u;
        return static_cast<size_t>(random_ >> 33) % below;
    }

private:
    uint64_t random_ = 42;
};

void run(std::string_view text)
{
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t *>(text.data()), text.size());
}

int write_seeds(const std::string &directory)
{
    int number = 0;
    for (const std::string_view seed : fuzz::seeds()) {
        std::ofstream file(directory + "/seed-" + std::to_string(++number));
        if (!(file << seed) || !file.flush()) {
            std::fprintf(stderr, "cannot write into %s\n", directory.c_str());
            return 1;
        }
    }
    return 0;
}

} // namespace

int main(int argc, char **argv)
{
    if (argc > 1) {
        return write_seeds(argv[1]);
    }
    std::vector<std::string> pool;
    for (const std::string_view seed : fuzz::seeds()) {
        run(seed);
        pool.emplace_back(seed);
    }
    const size_t seeds = pool.size();
    Mutator mutator;
    for (int i = 0; i < mutations; ++i) {
        std::string text = mutator.mutate(pool[mutator.next(pool.size())]);
        run(text);
        // Some mutants go on, so that changes add up.
        if (text.size() < 4096 && mutator.next(8) == 0) {
            if (pool.size() < seeds + 64) {
                pool.push_back(std::move(text));
            } else {
                pool[seeds + mutator.next(64)] = std::move(text);
            }
        }
    }
    return 0;
}
