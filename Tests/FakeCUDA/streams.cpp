// Streams, events and graphs. Work is done at once, or (is_lazy) when somebody waits for it: then what nobody waits for stays undone,
// and a reader that does not wait sees it.
#include "fake.h"
#include <algorithm>

namespace fake {
static std::set<Stream *> streams;
// What an event stood for when it was last recorded. Who waits keeps to that, even if the event is recorded again elsewhere.
struct Marker { Stream *stream; bool isReached = false; };
struct Event { std::shared_ptr<Marker> marker; };

static void finish(int result) {
    if (result && !state.late) state.late = result;
}
static bool runOne(Stream *stream) {
    if (stream->waiting.empty()) return false;
    Work work = stream->waiting.front();
    stream->waiting.pop_front();
    finish(state.lost ? state.lost : work.run());
    return true;
}
static void drain(Stream *stream) {
    while (runOne(stream)) {}
}
void drainAll() {
    for (Stream *stream : streams) drain(stream);
}
int whatFailed() {
    int result = state.lost ? state.lost : state.late;
    state.late = 0;
    return result;
}
int submit(void *handle, std::string name, std::function<int()> work) {
    Stream *stream = (Stream *)handle;
    if (stream->captured) {
        if (state.settings.fail_capture && ++state.captured == state.settings.fail_capture) {
            // What fails in the midst of a capture makes the whole of it useless.
            stream->isInvalid = true;
            return state.settings.failure;
        }
        stream->captured->push_back({name, work});
        return 0;
    }
    if (!state.settings.is_lazy) return work();
    stream->waiting.push_back({name, work});
    return 0;
}
bool isCapturing() {
    for (Stream *stream : streams) if (stream->captured) return true;
    return false;
}
static int createStream(void **stream, unsigned) {
    ALIVE
    Stream *made = new Stream;
    streams.insert(made);
    *stream = made;
    return 0;
}
static int destroyStream(void *stream) {
    drain((Stream *)stream);
    streams.erase((Stream *)stream);
    delete (Stream *)stream;
    return 0;
}
static int synchronize(void *stream) {
    ALIVE NO_CAPTURE("a wait for a stream")
    state.counts.waits++;
    drain((Stream *)stream);
    return whatFailed();
}
static int createEvent(void **event, unsigned) { ALIVE *event = new Event; return 0; }
static bool reach(const std::shared_ptr<Marker> &marker) {
    while (marker && !marker->isReached) {
        if (!runOne(marker->stream)) return false;
    }
    return true;
}
static int destroyEvent(void *handle) {
    Event *event = (Event *)handle;
    if (event->marker && streams.count(event->marker->stream)) reach(event->marker);
    delete event;
    return 0;
}
static int record(void *handle, void *stream) {
    ALIVE
    Event *event = (Event *)handle;
    if (((Stream *)stream)->captured) { complain("an event is recorded while its stream is captured"); return 900; }
    auto marker = std::make_shared<Marker>(Marker{(Stream *)stream});
    event->marker = marker;
    return submit(stream, "event", [marker] { marker->isReached = true; return 0; });
}
static int waitEvent(void *stream, void *handle, unsigned) {
    ALIVE
    auto marker = ((Event *)handle)->marker;
    if (((Stream *)stream)->captured) { complain("a captured stream waits for an event"); return 900; }
    return submit(stream, "wait", [marker] {
        if (reach(marker) || state.lost) return state.lost;
        complain("streams wait for each other for ever");
        return 719;
    });
}
static int synchronizeEvent(void *handle) {
    ALIVE NO_CAPTURE("a wait for an event")
    state.counts.waits++;
    if (!reach(((Event *)handle)->marker) && !state.lost) { complain("an event that never comes"); return 1; }
    return whatFailed();
}
static int elapsed(float *milliseconds, void *, void *) { *milliseconds = 1; return 0; }

long waitingWork() {
    long count = 0;
    for (Stream *stream : streams) count += (long)stream->waiting.size();
    return count;
}

// MARK: Graphs: lists of recorded work.

struct Graph { std::shared_ptr<std::vector<Work>> work; };

static int beginCapture(void *stream, int mode) {
    ALIVE
    if (mode < 0 || mode > 2 || isCapturing()) return 900;
    ((Stream *)stream)->captured = std::make_shared<std::vector<Work>>();
    ((Stream *)stream)->isInvalid = false;
    state.counts.captures++;
    return 0;
}
static int endCapture(void *stream, void **graph) {
    ALIVE
    Stream *own = (Stream *)stream;
    if (!own->captured) return 901;
    if (own->isInvalid) {
        own->captured = nullptr;
        *graph = nullptr;
        return 901;
    }
    *graph = new Graph{own->captured};
    own->captured = nullptr;
    return 0;
}
static int instantiate(void **executable, void *graph, unsigned long long) {
    ALIVE
    *executable = new Graph{((Graph *)graph)->work};
    state.counts.instantiations++;
    return 0;
}
// The same kinds of work in the same order, and other parameters.
static int updateGraph(void *executable, void *graph, void **, int *) {
    ALIVE
    auto &own = ((Graph *)executable)->work, &other = ((Graph *)graph)->work;
    if (own->size() != other->size()) return 910;
    for (size_t i = 0; i < own->size(); i++) if ((*own)[i].name != (*other)[i].name) return 910;
    own = other;
    state.counts.updates++;
    return 0;
}
static int launchGraph(void *executable, void *stream) {
    ALIVE
    state.counts.replays++;
    auto work = ((Graph *)executable)->work;
    return submit(stream, "graph", [work] {
        for (auto &part : *work) {
            int result = part.run();
            if (result) return result;
        }
        return 0;
    });
}
static int destroyGraph(void *graph) { delete (Graph *)graph; return 0; }

void addStreams(tb_cuda_driver &d) {
    d.cuStreamCreate = createStream, d.cuStreamDestroy_v2 = destroyStream, d.cuStreamSynchronize = synchronize;
    d.cuStreamWaitEvent = waitEvent;
    d.cuEventCreate = createEvent, d.cuEventRecord = record, d.cuEventSynchronize = synchronizeEvent, d.cuEventElapsedTime = elapsed;
    d.cuEventDestroy_v2 = destroyEvent;
    if (state.settings.has_no_graphs) return;
    d.cuStreamBeginCapture_v2 = beginCapture, d.cuStreamEndCapture = endCapture, d.cuGraphInstantiateWithFlags = instantiate;
    d.cuGraphExecUpdate = updateGraph, d.cuGraphLaunch = launchGraph, d.cuGraphExecDestroy = destroyGraph, d.cuGraphDestroy = destroyGraph;
}
}  // namespace fake
