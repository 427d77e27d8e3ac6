/* Which class an A64 instruction belongs to, from its 32 bits: the encoding tables of the Arm Architecture Reference
 * Manual (DDI 0487), chapter C4, as far as the classes need them. What no rule of vectors names is "other_vector". */
#ifndef EDGEBERT_INSTRUCTION_CLASSES_H
#define EDGEBERT_INSTRUCTION_CLASSES_H

#include <stdint.h>

/* In the order of `edgebert.benchmark.emulated.counts.CLASSES`. */
enum instruction_class {
    INT8_DOT_PRODUCT,
    INT8_MATRIX_MULTIPLY,
    WIDENING_MULTIPLY,
    FLOAT_MULTIPLY_ADD,
    OTHER_FLOAT,
    OTHER_VECTOR,
    VECTOR_LOAD,
    VECTOR_STORE,
    SCALAR_LOAD,
    SCALAR_STORE,
    BRANCH,
    SCALAR,
    SCALABLE_VECTOR,
    CLASS_COUNT
};

static const char *const class_names[CLASS_COUNT] = {
    "int8_dot_product", "int8_matrix_multiply", "widening_multiply", "float_multiply_add", "other_float",
    "other_vector", "vector_load", "vector_store", "scalar_load", "scalar_store", "branch", "scalar",
    "scalable_vector",
};

/* Vector and floating-point instructions, bits 27:25 = 111. The first rule that fits decides. */
static const struct { uint32_t mask, value; enum instruction_class is; } vector_rules[] = {
    /* SDOT, UDOT; USDOT; the same by element; USDOT and SUDOT by element */
    { 0x9FE0FC00, 0x0E809400, INT8_DOT_PRODUCT },
    { 0xBFE0FC00, 0x0E809C00, INT8_DOT_PRODUCT },
    { 0x9FC0F400, 0x0F80E000, INT8_DOT_PRODUCT },
    { 0xBF40F400, 0x0F00F000, INT8_DOT_PRODUCT },
    /* SMMLA, UMMLA; USMMLA */
    { 0xDFE0FC00, 0x4E80A400, INT8_MATRIX_MULTIPLY },
    { 0xFFE0FC00, 0x4E80AC00, INT8_MATRIX_MULTIPLY },
    /* SMLAL, SMLSL and unsigned; SMULL; both by element */
    { 0x9F20DC00, 0x0E208000, WIDENING_MULTIPLY },
    { 0x9F20FC00, 0x0E20C000, WIDENING_MULTIPLY },
    { 0x9F00B400, 0x0F002000, WIDENING_MULTIPLY },
    { 0x9F00F400, 0x0F00A000, WIDENING_MULTIPLY },
    /* scalar FMADD, FMSUB, FNMADD, FNMSUB */
    { 0xFF000000, 0x1F000000, FLOAT_MULTIPLY_ADD },
    /* FMLA, FMLS: vector, half, by element, half by element, and these two on scalars */
    { 0xBF20FC00, 0x0E20CC00, FLOAT_MULTIPLY_ADD },
    { 0xBF60FC00, 0x0E400C00, FLOAT_MULTIPLY_ADD },
    { 0xBF80B400, 0x0F801000, FLOAT_MULTIPLY_ADD },
    { 0xBFC0B400, 0x0F001000, FLOAT_MULTIPLY_ADD },
    { 0xFF80B400, 0x5F801000, FLOAT_MULTIPLY_ADD },
    { 0xFFC0B400, 0x5F001000, FLOAT_MULTIPLY_ADD },
    /* FMLAL, FMLSL; FMLAL2, FMLSL2; both by element */
    { 0xBF20FC00, 0x0E20EC00, FLOAT_MULTIPLY_ADD },
    { 0xBF20FC00, 0x2E20CC00, FLOAT_MULTIPLY_ADD },
    { 0xBFC0B400, 0x0F800000, FLOAT_MULTIPLY_ADD },
    { 0xBFC0B400, 0x2F808000, FLOAT_MULTIPLY_ADD },
    /* FCMLA, and by element; BFDOT, BFMMLA, BFMLAL; BFDOT and BFMLAL by element */
    { 0xBF20E400, 0x2E00C400, FLOAT_MULTIPLY_ADD },
    { 0xBF009400, 0x2F001000, FLOAT_MULTIPLY_ADD },
    { 0xBFE0FC00, 0x2E40FC00, FLOAT_MULTIPLY_ADD },
    { 0xBFE0FC00, 0x2E40EC00, FLOAT_MULTIPLY_ADD },
    { 0xBFE0FC00, 0x2EC0FC00, FLOAT_MULTIPLY_ADD },
    { 0xBF40F400, 0x0F40F000, FLOAT_MULTIPLY_ADD },
    /* every other scalar instruction on floating-point registers */
    { 0x5F000000, 0x1E000000, OTHER_FLOAT },
    /* three registers of one kind: vector, half; FCADD; the first two on scalars */
    { 0x9F20C400, 0x0E20C400, OTHER_FLOAT },
    { 0x9F60C400, 0x0E400400, OTHER_FLOAT },
    { 0xBF20EC00, 0x2E00E400, OTHER_FLOAT },
    { 0xDF20C400, 0x5E20C400, OTHER_FLOAT },
    { 0xDF60C400, 0x5E400400, OTHER_FLOAT },
    /* two registers: FABS, FNEG and comparisons with zero; FCVTN, FCVTL; conversions, roundings, roots, estimates */
    { 0x9FBFCC00, 0x0EA0C800, OTHER_FLOAT },
    { 0x9F3FEC00, 0x0E216800, OTHER_FLOAT },
    { 0x9F3F8C00, 0x0E218800, OTHER_FLOAT },
    { 0x9F7E0C00, 0x0E780800, OTHER_FLOAT },
    { 0xDFBFCC00, 0x5EA0C800, OTHER_FLOAT },
    { 0xDF3FEC00, 0x5E216800, OTHER_FLOAT },
    { 0xDF3F8C00, 0x5E218800, OTHER_FLOAT },
    { 0xDF7E0C00, 0x5E780800, OTHER_FLOAT },
    /* FMAXV, FMINV and the like across a vector; pairwise on scalars */
    { 0x9F3FCC00, 0x0E30C800, OTHER_FLOAT },
    { 0xDF3FCC00, 0x5E30C800, OTHER_FLOAT },
    /* FMUL, FMULX by element, on vectors and scalars, each also half */
    { 0x9F80F400, 0x0F809000, OTHER_FLOAT },
    { 0x9FC0F400, 0x0F009000, OTHER_FLOAT },
    { 0xDF80F400, 0x5F809000, OTHER_FLOAT },
    { 0xDFC0F400, 0x5F009000, OTHER_FLOAT },
    /* FMOV of a constant; every other constant, which would otherwise read as the conversions after it */
    { 0x9FF8F400, 0x0F00F400, OTHER_FLOAT },
    { 0x9FF80400, 0x0F000400, OTHER_VECTOR },
    /* conversions to and from fixed point, on vectors and scalars */
    { 0x9F80FC00, 0x0F00E400, OTHER_FLOAT },
    { 0x9F80FC00, 0x0F00FC00, OTHER_FLOAT },
    { 0xDF80FC00, 0x5F00E400, OTHER_FLOAT },
    { 0xDF80FC00, 0x5F00FC00, OTHER_FLOAT },
};

static enum instruction_class classify_memory(uint32_t word)
{
    const unsigned kind = word >> 27 & 7, opc = word >> 22 & 3;
    const int is_vector = word >> 26 & 1, bit_24 = word >> 24 & 1;
    int loads = opc & 1; /* pairs, exclusives, vector structures */
    if (kind == 3 && !bit_24)
        loads = 1; /* literal */
    else if (!is_vector && (kind == 3 || kind == 7)) {
        /* One register; a prefetch counts as a load, and so does an atomic read-modify-write. */
        const int is_special = kind == 7 && !bit_24 && (word >> 21 & 1) && (word >> 10 & 3) != 2;
        loads = is_special || opc != 0;
    }
    if (is_vector)
        return loads ? VECTOR_LOAD : VECTOR_STORE;
    return loads ? SCALAR_LOAD : SCALAR_STORE;
}

static enum instruction_class classify(uint32_t word)
{
    const unsigned group = word >> 25 & 15;
    if (group == 0 || group == 2)
        return SCALABLE_VECTOR; /* SME and SVE */
    if ((group & 14) == 10)
        return BRANCH; /* and system instructions */
    if ((group & 5) == 4)
        return classify_memory(word);
    if ((group & 7) != 7)
        return SCALAR;
    for (unsigned i = 0; i < sizeof vector_rules / sizeof *vector_rules; i++)
        if ((word & vector_rules[i].mask) == vector_rules[i].value)
            return vector_rules[i].is;
    return OTHER_VECTOR;
}

#endif
