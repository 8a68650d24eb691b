/* Test only: Rust's std asks this DLL for random numbers, and Wine 8 has none of that name. RtlGenRandom is
   advapi32's SystemFunction036. */
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG size);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE buffer, SIZE_T size) {
    return SystemFunction036(buffer, (ULONG)size);
}
