#pragma once

// What a program that quantizes needs. The layers' own headers are narrower and compile faster.
#include "torquant/core/error.h"
#include "torquant/data/open_dataset.h"
#include "torquant/graph/interpreter.h"
#include "torquant/graph/program.h"
#include "torquant/graph/text.h"
#include "torquant/io/pt2.h"
#include "torquant/io/safetensors.h"
#include "torquant/pt2e/convert.h"
#include "torquant/pt2e/prepare.h"
#include "torquant/pt2e/prepared_io.h"
#include "torquant/quantizer/arm_inductor_quantizer.h"
#include "torquant/quantizer/composable_quantizer.h"
#include "torquant/quantizer/embedding_quantizer.h"
#include "torquant/quantizer/recipe_quantizer.h"
#include "torquant/quantizer/x86_inductor_quantizer.h"
#include "torquant/quantizer/xnnpack_quantizer.h"
