# The way from PVH's entry (protected mode, no paging, EBX = start info) to Rust in long mode.
# Memory is mapped one to one up to 4 GiB, in pages of 2 MiB.

.set PRESENT_WRITABLE, 0x3
.set PAGE_2M, 0x80
.set XEN_ELFNOTE_PHYS32_ENTRY, 18

.section .note.pvh, "a", @note
.balign 4
    .long 4, 8, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad pvh_entry

.section .text.boot, "ax"
.code32
.globl pvh_entry
pvh_entry:
    cli
    cld
    rdtsc                               # when the image began, for the report
    movl %eax, %esi
    movl %edx, %ebp
    movl %ebx, %edi
    movl $boot_stack_end, %esp

    # The last level: 2048 pages. The loader has zeroed all tables.
    movl $(PRESENT_WRITABLE | PAGE_2M), %eax
    movl $page_directories, %ecx
1:  movl %eax, (%ecx)
    addl $8, %ecx
    addl $0x200000, %eax
    jnc 1b                              # ... until the address wraps at 4 GiB

    # The levels above: four directories in one table, that table in the root.
    movl $(page_directories + PRESENT_WRITABLE), %eax
    movl $page_pointers, %ecx
2:  movl %eax, (%ecx)
    addl $8, %ecx
    addl $4096, %eax
    cmpl $(page_directories + 4 * 4096), %eax
    jb 2b
    movl $(page_pointers + PRESENT_WRITABLE), page_root

    movl $page_root, %eax
    movl %eax, %cr3
    movl %cr4, %eax
    orl $(1 << 5), %eax                 # PAE
    movl %eax, %cr4
    movl $0xc0000080, %ecx              # EFER
    rdmsr
    orl $(1 << 8), %eax                 # LME
    wrmsr
    movl %cr0, %eax
    orl $(1 << 31 | 1 << 16 | 1), %eax  # PG, WP, PE
    movl %eax, %cr0
    lgdt gdt_pointer
    ljmp $8, $long_mode

.code64
long_mode:
    movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    movl %edi, %edi                     # the upper halves are undefined after the switch
    movl %esi, %esi
    shlq $32, %rbp
    orq %rbp, %rsi
    xorl %ebp, %ebp
    call rust_entry                     # (start info, time stamp), never returns

# One stub for each CPU exception. Where its call would return to tells which one it is.
.balign 8
.globl fault_stubs
fault_stubs:
.rept 32
    .balign 8
    call fault_common
.endr
fault_common:
    movq %rsp, %rdi
    andq $-16, %rsp
    call rust_fault                     # (stack), never returns

.section .rodata.boot, "a"
.balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff            # 8: 64-bit code
    .quad 0x00cf93000000ffff            # 16: data
gdt_pointer:
    .word . - gdt - 1
    .long gdt

.section .bss.boot, "aw", @nobits
.balign 4096
page_root:
    .skip 4096
page_pointers:
    .skip 4096
page_directories:
    .skip 4 * 4096
    .skip 256 * 1024
boot_stack_end:
