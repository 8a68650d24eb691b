/* Test only: an event log for Wine, whose own has none. Records are files NUMBER.xml below C:/event-log, in one folder for
   each channel (`/` in a channel's name is `%4`, as in the names of the log's own files). Each holds one record as EvtRender
   writes it; NUMBER is its EventRecordID.

   The contracts are those of winevt.h: EvtNext fails with 259 (ERROR_NO_MORE_ITEMS) when there is nothing now; EvtRender
   fails with 122 (ERROR_INSUFFICIENT_BUFFER) and says how many bytes it wants; a channel that is not there is 15007
   (ERROR_EVT_CHANNEL_NOT_FOUND); a strict subscription behind a record that is not there is 15011
   (ERROR_EVT_QUERY_RESULT_STALE). A subscription signals its event when there is more. */
#include <windows.h>
#include <winevt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum kind { RECORDS = 1, RECORD, BOOKMARK };

struct handle {
    enum kind kind;
    WCHAR folder[MAX_PATH];
    unsigned long long last; /* RECORDS: the last number that was given; BOOKMARK and RECORD: their number */
    BOOL reverse;
    HANDLE signal, thread, end;
};

static BOOL fail(DWORD code) {
    SetLastError(code);
    return FALSE;
}

static BOOL folder_of(LPCWSTR channel, WCHAR *folder) {
    WCHAR name[MAX_PATH];
    size_t i = 0;
    for (; *channel && i + 3 < MAX_PATH; channel++)
        if (*channel == L'/') name[i++] = L'%', name[i++] = L'4';
        else name[i++] = *channel;
    name[i] = 0;
    if (_snwprintf(folder, MAX_PATH, L"C:\\event-log\\%ls", name) < 0) return fail(ERROR_INVALID_PARAMETER);
    DWORD attributes = GetFileAttributesW(folder);
    if (attributes == INVALID_FILE_ATTRIBUTES || !(attributes & FILE_ATTRIBUTE_DIRECTORY))
        return fail(ERROR_EVT_CHANNEL_NOT_FOUND);
    return TRUE;
}

/* The number nearest to `from` in a direction, without `from` itself; 0 for none. */
static unsigned long long next_of(const WCHAR *folder, unsigned long long from, BOOL reverse) {
    WCHAR pattern[MAX_PATH];
    WIN32_FIND_DATAW found;
    unsigned long long best = 0;
    _snwprintf(pattern, MAX_PATH, L"%ls\\*.xml", folder);
    HANDLE search = FindFirstFileW(pattern, &found);
    if (search == INVALID_HANDLE_VALUE) return 0;
    do {
        unsigned long long number = wcstoull(found.cFileName, NULL, 10);
        if (number == 0) continue;
        if (!reverse && number > from && (best == 0 || number < best)) best = number;
        if (reverse && number < from && number > best) best = number;
    } while (FindNextFileW(search, &found));
    FindClose(search);
    return best;
}

static DWORD WINAPI watch(LPVOID argument) {
    struct handle *handle = argument;
    while (WaitForSingleObject(handle->end, 50) == WAIT_TIMEOUT)
        if (next_of(handle->folder, handle->last, FALSE)) SetEvent(handle->signal);
    return 0;
}

static struct handle *new_handle(enum kind kind) {
    struct handle *handle = calloc(1, sizeof *handle);
    if (handle) handle->kind = kind;
    else SetLastError(ERROR_OUTOFMEMORY);
    return handle;
}

__declspec(dllexport) EVT_HANDLE WINAPI EvtCreateBookmark(LPCWSTR xml) {
    struct handle *handle = new_handle(BOOKMARK);
    if (!handle) return NULL;
    if (xml) {
        const WCHAR *number = wcsstr(xml, L"RecordId='");
        if (!number) {
            free(handle);
            SetLastError(ERROR_INVALID_PARAMETER);
            return NULL;
        }
        handle->last = wcstoull(number + wcslen(L"RecordId='"), NULL, 10);
    }
    return handle;
}

__declspec(dllexport) BOOL WINAPI EvtUpdateBookmark(EVT_HANDLE bookmark, EVT_HANDLE event) {
    struct handle *to = bookmark, *from = event;
    if (!to || to->kind != BOOKMARK || !from || from->kind != RECORD) return fail(ERROR_INVALID_HANDLE);
    to->last = from->last;
    return TRUE;
}

__declspec(dllexport) EVT_HANDLE WINAPI EvtQuery(EVT_HANDLE session, LPCWSTR path, LPCWSTR query, DWORD flags) {
    struct handle *handle = new_handle(RECORDS);
    (void)session, (void)query;
    if (!handle) return NULL;
    if (!folder_of(path, handle->folder)) {
        free(handle);
        SetLastError(ERROR_EVT_CHANNEL_NOT_FOUND);
        return NULL;
    }
    handle->reverse = (flags & EvtQueryReverseDirection) != 0;
    handle->last = handle->reverse ? ~0ULL : 0;
    return handle;
}

__declspec(dllexport) BOOL WINAPI EvtSeek(EVT_HANDLE result, LONGLONG position, EVT_HANDLE bookmark, DWORD timeout,
                                          DWORD flags) {
    struct handle *handle = result, *mark = bookmark;
    (void)timeout;
    if (!handle || handle->kind != RECORDS || !mark || mark->kind != BOOKMARK) return fail(ERROR_INVALID_HANDLE);
    if ((flags & 7) != EvtSeekRelativeToBookmark) return fail(ERROR_INVALID_PARAMETER);
    /* The nearest place that is there. */
    unsigned long long before = next_of(handle->folder, mark->last, TRUE);
    for (; position < 0 && before; position++) before = next_of(handle->folder, before, TRUE);
    handle->last = before;
    return TRUE;
}

__declspec(dllexport) EVT_HANDLE WINAPI EvtSubscribe(EVT_HANDLE session, HANDLE signal, LPCWSTR channel, LPCWSTR query,
                                                     EVT_HANDLE bookmark, PVOID context,
                                                     EVT_SUBSCRIBE_CALLBACK callback, DWORD flags) {
    struct handle *mark = bookmark;
    (void)session, (void)query, (void)context;
    if (!signal || callback) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    struct handle *handle = new_handle(RECORDS);
    if (!handle) return NULL;
    if (!folder_of(channel, handle->folder)) {
        free(handle);
        SetLastError(ERROR_EVT_CHANNEL_NOT_FOUND);
        return NULL;
    }
    if ((flags & EvtSubscribeOriginMask) == EvtSubscribeStartAfterBookmark) {
        if (!mark || mark->kind != BOOKMARK) {
            free(handle);
            SetLastError(ERROR_INVALID_PARAMETER);
            return NULL;
        }
        handle->last = mark->last;
        if ((flags & EvtSubscribeStrict) && next_of(handle->folder, mark->last - 1, FALSE) != mark->last) {
            free(handle);
            SetLastError(ERROR_EVT_QUERY_RESULT_STALE);
            return NULL;
        }
    } else if ((flags & EvtSubscribeOriginMask) == EvtSubscribeToFutureEvents) {
        handle->last = next_of(handle->folder, ~0ULL, TRUE);
    }
    handle->signal = signal;
    handle->end = CreateEventW(NULL, TRUE, FALSE, NULL);
    handle->thread = CreateThread(NULL, 0, watch, handle, 0, NULL);
    return handle;
}

__declspec(dllexport) BOOL WINAPI EvtNext(EVT_HANDLE result, DWORD size, EVT_HANDLE *events, DWORD timeout, DWORD flags,
                                          DWORD *returned) {
    struct handle *handle = result;
    (void)timeout, (void)flags;
    *returned = 0;
    if (!handle || handle->kind != RECORDS) return fail(ERROR_INVALID_HANDLE);
    while (*returned < size) {
        unsigned long long number = next_of(handle->folder, handle->last, handle->reverse);
        struct handle *record = number ? new_handle(RECORD) : NULL;
        if (!record) break;
        wcscpy(record->folder, handle->folder);
        record->last = handle->last = number;
        events[(*returned)++] = record;
    }
    return *returned ? TRUE : fail(ERROR_NO_MORE_ITEMS);
}

__declspec(dllexport) BOOL WINAPI EvtRender(EVT_HANDLE context, EVT_HANDLE fragment, DWORD flags, DWORD size,
                                            PVOID buffer, DWORD *used, DWORD *properties) {
    struct handle *handle = fragment;
    WCHAR path[MAX_PATH + 32];
    (void)context;
    *properties = 0;
    if (!handle || (flags != EvtRenderEventXml && flags != EvtRenderBookmark)) return fail(ERROR_INVALID_PARAMETER);
    WCHAR *text = NULL;
    if (flags == EvtRenderBookmark) {
        text = calloc(256, sizeof *text);
        _snwprintf(text, 255, L"<BookmarkList><Bookmark Channel='' RecordId='%llu' IsCurrent='true'/></BookmarkList>",
                   handle->last);
    } else {
        _snwprintf(path, MAX_PATH + 31, L"%ls\\%llu.xml", handle->folder, handle->last);
        HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
        if (file == INVALID_HANDLE_VALUE) return fail(ERROR_EVT_QUERY_RESULT_STALE);
        DWORD bytes = GetFileSize(file, NULL), got = 0;
        char *content = malloc(bytes + 1);
        ReadFile(file, content, bytes, &got, NULL);
        CloseHandle(file);
        int letters = MultiByteToWideChar(CP_UTF8, 0, content, got, NULL, 0);
        text = calloc(letters + 1, sizeof *text);
        MultiByteToWideChar(CP_UTF8, 0, content, got, text, letters);
        free(content);
    }
    *used = (wcslen(text) + 1) * sizeof *text;
    BOOL fits = *used <= size;
    if (fits) memcpy(buffer, text, *used);
    free(text);
    return fits ? TRUE : fail(ERROR_INSUFFICIENT_BUFFER);
}

__declspec(dllexport) BOOL WINAPI EvtClose(EVT_HANDLE object) {
    struct handle *handle = object;
    if (!handle) return fail(ERROR_INVALID_HANDLE);
    if (handle->thread) {
        SetEvent(handle->end);
        WaitForSingleObject(handle->thread, INFINITE);
        CloseHandle(handle->thread);
        CloseHandle(handle->end);
    }
    free(handle);
    return TRUE;
}
