// Makes the kernel calls that it is sent, on whatever machine it was compiled for or is emulated on
// (remote_kernels.py sends them). Usage: kernel_server LIBRARY, requests on stdin, answers on stdout.
//
// A request, all numbers int64: buffers {size, bytes}, name {size, bytes}, the scratch function's
// name likewise (empty: none), parts, fields {kind, value}: kind 0 the field's own 8 bytes, 1 the
// address of buffer number value >> 40 plus value's low 40 bits. The answer: 0, then all buffers.
//
// A buffer ends where mapped memory ends, so that a stray behind it ends this process; what was
// written before its first byte makes the answer 1.
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr char CANARY = '\xa5';

void need(bool right, const char* what) {
    if (right) return;
    fprintf(stderr, "kernel_server: %s\n", what);
    _exit(2);
}

void read_bytes(void* to, size_t size) { need(size == 0 || fread(to, size, 1, stdin) == 1, "a request broke off"); }
void write_bytes(const void* from, size_t size) { need(size == 0 || fwrite(from, size, 1, stdout) == 1, "no reader"); }

int64_t read_int() {
    int64_t n;
    read_bytes(&n, sizeof n);
    return n;
}

std::string read_text() {
    std::string text(static_cast<size_t>(read_int()), ' ');
    read_bytes(&text[0], text.size());
    return text;
}

class Buffer {
    char* pages;
    size_t mapped;

  public:
    char* start;
    size_t size;

    explicit Buffer(size_t size) : size(size) {
        const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
        mapped = (size + page - 1) / page * page + 2 * page;
        void* memory = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        need(memory != MAP_FAILED && mprotect(static_cast<char*>(memory) + mapped - page, page, PROT_NONE) == 0, "mmap");
        pages = static_cast<char*>(memory);
        start = pages + mapped - page - size;
        memset(pages, CANARY, mapped - page);
    }
    Buffer(const Buffer&) = delete;
    Buffer(Buffer&& other) : pages(other.pages), mapped(other.mapped), start(other.start), size(other.size) {
        other.pages = nullptr;
    }
    ~Buffer() {
        if (pages) munmap(pages, mapped);
    }
    bool whole() const {
        for (const char* byte = pages; byte < start; byte++)
            if (*byte != CANARY) return false;
        return true;
    }
};

void serve(void* library) {
    std::vector<Buffer> buffers;
    for (int64_t n = read_int(); n > 0; n--) {
        buffers.emplace_back(static_cast<size_t>(read_int()));
        read_bytes(buffers.back().start, buffers.back().size);
    }
    const std::string name = read_text(), scratch_name = read_text();
    const int64_t parts = read_int();
    std::vector<int64_t> fields(static_cast<size_t>(read_int()));
    for (int64_t& field : fields) {
        const int64_t kind = read_int(), value = read_int();
        field = value;
        if (kind == 1)
            field = reinterpret_cast<int64_t>(buffers[static_cast<size_t>(value >> 40)].start) +
                    (value & ((int64_t(1) << 40) - 1));
    }
    const auto kernel = reinterpret_cast<void (*)(const void*, int64_t, int64_t, char*)>(dlsym(library, name.c_str()));
    need(kernel, "an unknown kernel");
    int64_t scratch_bytes = 0;
    if (!scratch_name.empty()) {
        const auto ask = reinterpret_cast<int64_t (*)(const void*)>(dlsym(library, scratch_name.c_str()));
        need(ask, "an unknown scratch function");
        scratch_bytes = ask(fields.data());
    }
    Buffer scratch(static_cast<size_t>((scratch_bytes + 63) / 64 * 64));
    for (int64_t part = 0; part < parts; part++) kernel(fields.data(), part, parts, scratch.start);
    int64_t status = !scratch.whole();
    for (const Buffer& buffer : buffers) status |= !buffer.whole();
    write_bytes(&status, sizeof status);
    for (const Buffer& buffer : buffers) write_bytes(buffer.start, buffer.size);
    fflush(stdout);
}

}    // namespace

int main(int, char** words) {
    void* library = dlopen(words[1], RTLD_NOW);
    need(library, "the library does not load");
    for (int next; (next = getchar()) != EOF;) {
        ungetc(next, stdin);
        serve(library);
    }
}
